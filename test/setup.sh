#!/bin/bash
# Installs what the tests need on a Debian machine and nothing that is there
# already: PostgreSQL and Redis (the tests start their own), Chromium,
# Node, and the npm packages of test/node. Takes under a second when all is there.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
have() { command -v "$1" >/dev/null 2>&1; }
have chromium || missing+=(chromium)
have node || missing+=(nodejs)
have npm || missing+=(npm)
have certutil || missing+=(libnss3-tools)
have curl || missing+=(curl)
have gcc || missing+=(gcc libc6-dev) # for the race detector
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || have initdb || missing+=(postgresql)
have valkey-server || have redis-server || missing+=(redis-server)

if ((${#missing[@]})); then
	as_root=()
	if ((EUID != 0)); then
		if ! have sudo || ! sudo -n true 2>/dev/null; then
			echo "setup: missing ${missing[*]}: install these packages, or run this as root or with sudo" >&2
			exit 1
		fi
		as_root=(sudo -n)
	fi
	if ! have apt-get; then
		echo "setup: missing ${missing[*]}: install these packages (no apt-get here to do it)" >&2
		exit 1
	fi
	echo "setup: installing ${missing[*]}"
	log=$(mktemp)
	if ! { "${as_root[@]}" apt-get -q update &&
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "setup: could not install ${missing[*]}; the whole output is in $log" >&2
		exit 1
	fi
	rm -f "$log"
fi

# playwright-core wants 20; Debian 12 has 18, Debian 13 has 20.
if (($(node -p 'process.versions.node.split(".")[0]') < 20)); then
	echo "setup: Node $(node --version) is too old: install Node 20 or later" >&2
	exit 1
fi

# npm ci starts from nothing each time, so it runs only when the lock has changed.
stamp=node/node_modules/.installed
if ! cmp -s node/package-lock.json "$stamp"; then
	echo "setup: installing npm packages"
	npm --prefix node ci --no-audit --no-fund --ignore-scripts --loglevel=error
	cp node/package-lock.json "$stamp"
fi
