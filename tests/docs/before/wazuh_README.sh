set -euo pipefail
# The page's commands are typed in the kit's folder.
cp -r wazuh/* .
cp samples/100806-*.jsonl EVENTS
cat >local_rules.xml <<'XML'
<group name="local,">
  <rule id="100999" level="3"><if_sid>100801</if_sid><group>lilith_egress_denied,</group><description>own</description></rule>
</group>
XML
cp rules/policies/lilith-policy.yaml CANDIDATE
lilith-traffic --seed 1 --calls 500 >calls.ndjson && lilith import neutral calls.ndjson --output LOG
