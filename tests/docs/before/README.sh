set -euo pipefail
# Two candidates, a configuration of the shipper that delivers into a file, and a history as Claude Code keeps it.
mkdir -p ~/.claude/projects/app ~/.local/state/lilith
cp tests/replay/history/claude-code.jsonl ~/.claude/projects/app/
cp rules/policies/lilith-policy.yaml candidate-a.yaml
cp rules/policies/starter-audit.yaml candidate-b.yaml
cat >ship.yaml <<YAML
version: "1"
sources: ["$HOME/.local/state/lilith/agent-audit.log"]
state_dir: "$PWD/state"
sinks:
  - {name: copy, type: file, path: "$PWD/shipped.log"}
YAML
