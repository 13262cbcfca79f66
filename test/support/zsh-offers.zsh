# zsh -f zsh-offers.zsh SCRIPT LINE...: what an interactive zsh with that completion offers where TAB is typed after each
# line; one offer a line, a line with a dot after each list.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "stty -echo columns 200; PS1= PS2=; setopt no_beep no_list_beep; autoload -Uz compinit; compinit -u -D; source ${(q)1}"
# What is handed to compadd for being offered; with -O, -A or -D it only sorts matches into arrays.
zpty -w shell 'compadd() {
  if (( ! ${@[(I)-[OAD]*]} )); then
    local -a hits; builtin compadd -O hits "$@"
    local hit; for hit in $hits; do print -r -- "<hit>$hit"; done
  fi
  builtin compadd "$@"
}'
zpty -w shell 'show-offers() { _main_complete "$@"; compstate[insert]=; compstate[list]=; print -r -- "<end>" }'
zpty -w shell 'zle -C show-offers complete-word show-offers; bindkey "^I" show-offers; print "<ready>"'
zpty -r shell seen '*<ready>*'
shift
for line in "$@"; do
  zpty -w -n shell "$line"$'\t'
  zpty -r shell seen '*<end>*'
  print -r -- "$seen" | tr -d '\r' | sed -n 's/.*<hit>//p'
  print .
  # ^U: the line is not run, and the next one begins on an empty one.
  zpty -w -n shell $'\025'
done
zpty -d shell
