const INTERPRETER =
  /^(?:node(?:js)?|deno|bun|python[\d.]*|pypy[\d.]*|(?:ba|da|z|fi|k|mk|a|tc|c|r)?sh|busybox|perl[\d.]*|ruby[\d.]*|php[\d.]*(?:-\w+)?|java|jshell|dotnet|mono|lua(?:jit)?[\d.]*|tclsh[\d.]*|wish[\d.]*|expect|[gmn]?awk|Rscript|R|julia|guile[\d.]*|sbcl|erl|beam\.smp|elixir|escript|pwsh|gdb|ld-linux[\w.-]*\.so[\d.]*|ld-musl[\w.-]*\.so[\d.]*|ld\.so|qemu-[\w-]+)$/;

/** Whether an executable runs whatever script it is given. Judged by name, of the path and of where it leads. */
export function isInterpreter(path: string): boolean {
  return INTERPRETER.test(path.slice(path.lastIndexOf('/') + 1));
}
