set -euo pipefail
# The log of a small fleet of two weeks, whose policy a.yaml is wider than nothing and narrower than everything.
mkdir -p ~/.claude/projects/app && cp tests/replay/history/claude-code.jsonl ~/.claude/projects/app/
cp rules/policies/lilith-policy.yaml a.yaml && cp rules/policies/starter-audit.yaml b.yaml
cp a.yaml the-one-in-force.yaml
lilith-fleet --seed 1 --hosts 5 --days 4 --uses 12 >calls.ndjson && lilith import neutral calls.ndjson --output LOG
cp LOG agent-audit.log && cp LOG ws-1.log
echo "EVENT_ID $(sed -n 5p agent-audit.log | jq -r .lilith.id)" >values
