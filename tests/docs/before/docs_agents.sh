set -euo pipefail
mkdir -p ~/.config/lilith && cp rules/policies/lilith-policy.yaml ~/.config/lilith/
mkdir DIR
