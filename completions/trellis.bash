# Completion of trellis for bash: put it into /usr/share/bash-completion/completions/trellis.
# Made by `trellis completion bash`.
_trellis() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local path= word i
  COMPREPLY=()
  case $previous in
    --state) compopt -o filenames; COMPREPLY=($(compgen -d -- "$current")); return ;;
    --setup-key-file|--socket|--rosenpass-public) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")); return ;;
    --server|--setup-key|--hostname|--timeout|-c|--count|-i|--interval) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${path:+$path }${COMP_WORDS[i]}"
    case $word in
      "up"|"down"|"logout"|"status"|"ping"|"peers"|"peers trust"|"keys"|"keys new"|"keys show"|"keys export"|"reload"|"completion"|"version") path=$word ;;
    esac
  done
  case $path in
    "") word="up down logout status ping peers keys reload completion version -h --help --version" ;;
    "up") word="-h --help --server --setup-key-file --setup-key --hostname --strict --permissive --timeout --json --state --socket" ;;
    "down") word="-h --help --socket" ;;
    "logout") word="-h --help --force --socket" ;;
    "status") word="-h --help --json --socket" ;;
    "ping") word="-h --help -c --count -i --interval -6 --json --socket" ;;
    "peers") word="trust -h --help --json --socket" ;;
    "peers trust") word="-h --help --socket" ;;
    "keys") word="new show export -h --help" ;;
    "keys new") word="-h --help --state" ;;
    "keys show") word="-h --help --state --json" ;;
    "keys export") word="-h --help --rosenpass-public --state" ;;
    "reload") word="-h --help --socket" ;;
    "completion") word="bash zsh fish -h --help" ;;
    "version") word="-h --help" ;;
  esac
  COMPREPLY=($(compgen -W "$word" -- "$current"))
}
complete -F _trellis trellis
