/** Text as it may stand in HTML and XML, in an element as in a quoted attribute; what XML 1.0 can't hold becomes `?`. */
export function escapeMarkup(text: string): string {
  return text
    .replace(/[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
