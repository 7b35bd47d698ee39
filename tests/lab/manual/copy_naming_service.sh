# High Availability System Guide 3.2.2.2: host1's Naming Service is copied to host2, so that contexts are the same on both.
. "$MANUAL/interstage.sh"

install host1 127.0.0.11
install host2 127.0.0.12

step "both hosts: the virtual host goes into references"
for each in host1 host2; do
    on "$each"
    OD_set_env -n vhost
    isstart
done

step "host1 has a naming context, host2 something else"
on host1
OD_or_adm -z NC001
OD_or_adm -z NC001/NC002
OD_or_adm -c IDL:TDsample/tdtest:1.0 -a FUJITSU-Interstage-TDLC -n NC001/TDsample::tdtest -h vhost -p 8002
on host2
OD_or_adm -z NC001
odlistns -l -R > before.txt

step "host1: stop, copy, start, list"
on host1
isstop -f
cp -r -p "$OD_HOME/etc/CosNaming" CosNaming_host1
odlistns -l -R > stopped.txt
isstart
odlistns -l -R > host1.txt
cmp stopped.txt host1.txt
cmp -s host1.txt ../../host2/lists/before.txt && fail "the hosts had the same context already: this shows nothing"

step "the copy goes to host2's working directory"
mv CosNaming_host1 ../../host2/lists

step "host2: stop, keep its own, put the copy there, start, list"
on host2
isstop -f
mv "$OD_HOME/etc/CosNaming" "$OD_HOME/etc/CosNaming_backup"
cp -r -p CosNaming_host1 "$OD_HOME/etc/CosNaming"
chown "$(id -u)" "$OD_HOME/etc/CosNaming"
chgrp "$(id -g)" "$OD_HOME/etc/CosNaming"
isstart
odlistns -l -R > host2.txt

step "both list the same text, context ids included"
cmp ../../host1/lists/host1.txt host2.txt
odlistns -l -R --compare ../../host1/lists/host1.txt
cat host2.txt

step "what is bound from now on is not on the other host"
on host1
OD_or_adm -c IDL:TDsample/tdtest:1.0 -n later
odlistns -l -R --compare ../../host2/lists/host2.txt && fail "a difference was not found"

step "host1 runs on, and is copied again"
nstool backup "$OD_HOME" ../../host2/lists/CosNaming_running
odlistns -l -R > host1.txt
on host2
isstop -f
rm -r "$OD_HOME/etc/CosNaming"
cp -r -p CosNaming_running "$OD_HOME/etc/CosNaming"
isstart
odlistns -l -R | cmp - ../../host1/lists/host1.txt
