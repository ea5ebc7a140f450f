# Completion of trellis for bash: put it into /usr/share/bash-completion/completions/trellis.
# Made by `trellis completion bash`.
_trellis() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local path= word i
  COMPREPLY=()
  case $previous in
    --state) compopt -o filenames; COMPREPLY=($(compgen -d -- "$current")); return ;;
    --setup-key-file|--socket|--rosenpass-public) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")); return ;;
    --server|--setup-key|--hostname|--timeout|-c|--count|-i|--interval|--name|--limit|--expires) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${path:+$path }${COMP_WORDS[i]}"
    case $word in
      "up"|"down"|"logout"|"status"|"ping"|"peers"|"peers trust"|"keys"|"keys new"|"keys show"|"keys export"|"reload"|"server"|"server status"|"server setup-key"|"server setup-key create"|"server setup-key list"|"server setup-key revoke"|"server peer"|"server peer list"|"server peer remove"|"server peer rename"|"server peer trust"|"completion"|"version") path=$word ;;
    esac
  done
  case $path in
    "") word="up down logout status ping peers keys reload server completion version -h --help --version" ;;
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
    "server") word="status setup-key peer -h --help" ;;
    "server status") word="-h --help --json --socket" ;;
    "server setup-key") word="create list revoke -h --help" ;;
    "server setup-key create") word="-h --help --json --socket --name --reusable --limit --expires --ephemeral" ;;
    "server setup-key list") word="-h --help --json --socket" ;;
    "server setup-key revoke") word="-h --help --json --socket" ;;
    "server peer") word="list remove rename trust -h --help" ;;
    "server peer list") word="-h --help --json --socket" ;;
    "server peer remove") word="-h --help --json --socket" ;;
    "server peer rename") word="-h --help --json --socket" ;;
    "server peer trust") word="-h --help --json --socket" ;;
    "completion") word="bash zsh fish -h --help" ;;
    "version") word="-h --help" ;;
  esac
  COMPREPLY=($(compgen -W "$word" -- "$current"))
}
complete -F _trellis trellis
