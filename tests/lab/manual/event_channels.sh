# High Availability System Guide 4.5.5, 4.5.7, 4.12.2: a cluster's nodes, one at a time, behind an inherited address.
# Its event channels get to the other node, and are deleted there. (Channels are made by esmkchnl; here OD_or_adm stands for it.)
. "$MANUAL/interstage.sh"

install node1 127.0.0.10
install node2 127.0.0.10

step "both nodes: the inherited address goes into references"
for each in node1 node2; do
    on "$each"
    OD_set_env -v 127.0.0.10
done

step "node1: channels of two groups"
on node1
isstart
for name in group1::channel1 group1::channel2 group2::channel1; do
    OD_or_adm -c IDL:CosNotifyChannelAdmin/EventChannel:1.0 -n "$name"
done

step "node1: their references to a file; then switch to node2"
esgetchnlior -g group1 -p .
cat group1.ior
isstop -f
mv group1.ior ../../node2/lists
on node2
isstart

step "node2: register the references"
esetchnlior -f group1.ior
odlistns -l > listing.txt
cat listing.txt

step "node2: delete the channels that are listed, by the names shown"
sed -n 's/^\(.*\)(o) *IDL:Cos\(Notify\|Event\)ChannelAdmin\/EventChannel:1\.0, .*/\1/p' listing.txt > channels.txt
[ "$(cat channels.txt)" = "$(printf 'group1::channel1\ngroup1::channel2')" ] || fail "not what was carried over: $(cat channels.txt)"
while read -r name; do
    OD_or_adm -d -n "$name"
done < channels.txt
[ "$(odlistns)" = "Name(Type)" ] || fail "something is left: $(odlistns)"
isstop -f

step "node1 still has its own"
on node1
isstart
odlistns
