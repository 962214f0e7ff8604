# What tests run under a slot: sh work.sh NAME [stubborn] [exit CODE]
# Writes `NAME WORD GROUP` lines into the journal: start, a tick every 20 ms, end. Ends when $SCENE/open-NAME or open-all is there.
# stubborn: itself and a child of it, which ticks as well, do not end by SIGTERM.
name=$1
group=$(cut -d' ' -f5 /proc/self/stat)
say() { echo "$name $1 $group" >>"$SCENE/journal"; }
tick() { while [ ! -e "$SCENE/open-$name" ] && [ ! -e "$SCENE/open-all" ]; do say "$1"; sleep 0.02; done; }

for signal in INT HUP QUIT USR1 USR2; do trap "say $signal" $signal; done
if [ "$2" = stubborn ]; then
  trap 'say TERM' TERM
  (trap '' TERM; tick tock) &
elif [ "$2" = polite ]; then
  trap 'say TERM; exit 3' TERM
fi
say start
tick tick
say end
