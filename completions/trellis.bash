# Completion of trellis for bash: put it into /usr/share/bash-completion/completions/trellis.
# Made by `trellis completion bash`.
_trellis() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local path= word i
  COMPREPLY=()
  case $previous in
    --state) compopt -o filenames; COMPREPLY=($(compgen -d -- "$current")); return ;;
    --rosenpass-public|--socket) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")); return ;;
    '') return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${path:+$path }${COMP_WORDS[i]}"
    case $word in
      "keys"|"keys new"|"keys show"|"keys export"|"status"|"peers"|"peers trust"|"reload"|"completion"|"version") path=$word ;;
    esac
  done
  case $path in
    "") word="keys status peers reload completion version -h --help --version" ;;
    "keys") word="new show export -h --help" ;;
    "keys new") word="-h --help --state" ;;
    "keys show") word="-h --help --state --json" ;;
    "keys export") word="-h --help --rosenpass-public --state" ;;
    "status") word="-h --help --json --socket" ;;
    "peers") word="trust -h --help --json --socket" ;;
    "peers trust") word="-h --help --socket" ;;
    "reload") word="-h --help --socket" ;;
    "completion") word="bash zsh fish -h --help" ;;
    "version") word="-h --help" ;;
  esac
  COMPREPLY=($(compgen -W "$word" -- "$current"))
}
complete -F _trellis trellis
