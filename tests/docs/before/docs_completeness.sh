set -euo pipefail
# A log as it arrives at a Wazuh manager, at rsyslog and in an index, and a fleet with a host that never sent anything.
lilith-traffic --seed 1 --calls 200 >calls.ndjson && lilith import neutral calls.ndjson --output LOG
jq -Rc '(fromjson) as $e | {data: $e, full_log: ("Nov 26 00:00:00 ws-42 " + .)}' LOG >archives.json
mkdir -p remote
sed 's/^/Nov 26 00:00:00 ws-42 lilith[1]: /' LOG >remote/ws-42.log
sed 's/.*/{"_index":"lilith","_source":&}/' LOG >export.ndjson
echo ws-that-is-off >fleet.txt
