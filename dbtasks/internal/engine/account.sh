# Prints pid, effective uid and gid of every process called postgres whose
# parent is not. With $1 only those of this container's control group.
group() {
  g=
  while read -r line; do g="$g $line"; done <"/proc/$1/cgroup"
  echo "$g"
} 2>/dev/null
ours=$(group self)
for dir in /proc/[0-9]*; do
  name= parent= up=
  read -r name <"$dir/comm" || continue
  [ "$name" = postgres ] || continue
  while read -r key real effective rest; do
    case $key in
    PPid:) parent=$real ;;
    Uid:) uid=$effective ;;
    Gid:) gid=$effective ;;
    esac
  done <"$dir/status" || continue
  read -r up <"/proc/$parent/comm"
  [ "$up" = postgres ] && continue
  [ -z "$1" ] || [ "$(group "${dir#/proc/}")" = "$ours" ] || continue
  echo "${dir#/proc/} $uid $gid"
done 2>/dev/null
exit 0
