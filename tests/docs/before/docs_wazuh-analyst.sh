set -euo pipefail
# An archive as the manager writes it, of a log of this machine, and the files that the page calls LOG, POLICY and NEW.
cp wazuh/lilith_rules.xml wazuh/samples/100802-repeated-egress.jsonl .
mv 100802-repeated-egress.jsonl EVENTS
cp rules/policies/lilith-policy.yaml POLICY
sed 's|^\( *\)- host: "api.github.com"|\1- host: "docs.example.org"\n&|' POLICY >NEW
echo '<group name="local,"/>' >local_rules.xml
lilith-traffic --seed 1 --calls 500 >calls.ndjson && lilith import neutral calls.ndjson --output LOG
jq -Rc '(fromjson) as $e | {data: $e, full_log: ("Nov 26 00:00:00 ws-42 " + .)}' LOG >archives.json
