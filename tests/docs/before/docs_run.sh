set -euo pipefail
# Programs of these names: what they do inside is told by tests/run.
mkdir -p ~/bin && printf '#!/bin/sh\nexit 0\n' | tee ~/bin/claude >~/bin/npm && chmod +x ~/bin/*
cp rules/policies/lilith-policy.yaml .
mkdir -p ~/.config/lilith && cp lilith-policy.yaml ~/.config/lilith/
