#!/bin/bash
# Installs what the tests need on a Debian machine and nothing that is there
# already: PostgreSQL and Redis (the tests start their own), Chromium,
# nginx, Node, and the npm packages of test/node. Takes under a second when all is there.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
have() { command -v "$1" >/dev/null 2>&1; }
have chromium || missing+=(chromium)
have node || missing+=(nodejs)
have npm || missing+=(npm)
have certutil || missing+=(libnss3-tools)
have nginx || [[ -x /usr/sbin/nginx ]] || missing+=(nginx-light)
have curl || missing+=(curl)
have openssl || missing+=(openssl)
have gcc || missing+=(gcc libc6-dev) # for the race detector
have python3 || missing+=(python3)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
have javac && have keytool || missing+=(default-jdk-headless)
have mvn || missing+=(maven)
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

# stale STAMP FILES… reports whether FILES differ from when STAMP was written.
stale() {
	local stamp=$1
	shift
	! cat "$@" | cmp -s - "$stamp"
}

# npm ci starts from nothing each time, so it runs only when the lock has changed.
for dir in node ../examples/backends/node ../examples/clients/server; do
	stamp=$dir/node_modules/.installed
	if stale "$stamp" $dir/package-lock.json; then
		echo "setup: installing npm packages of $dir"
		npm --prefix $dir ci --no-audit --no-fund --ignore-scripts --loglevel=error
		cat $dir/package-lock.json >"$stamp"
	fi
done

# The Python example, PyJWT beside it to be measured, and Authlib as a client; hashes are in the files.
wanted=(../examples/backends/python/requirements.txt backends/alone/requirements.txt interop/auth/python/requirements.txt)
stamp=backends/.venv/.installed
if stale "$stamp" "${wanted[@]}"; then
	echo "setup: installing Python packages"
	python3 -m venv --clear backends/.venv
	backends/.venv/bin/pip --quiet --disable-pip-version-check install --require-hashes "${wanted[@]/#/--requirement=}"
	cat "${wanted[@]}" >"$stamp"
fi

# The Java example and the Java client. Maven 3.8 checks no hashes of ours, so we do.
for java in ../examples/backends/java interop/auth/java; do
	built=($java/pom.xml $java/jars.sha256 $java/src/main/java/*.java)
	stamp=$java/target/.installed
	if stale "$stamp" "${built[@]}"; then
		echo "setup: building $java"
		mvn --quiet --batch-mode --file $java/pom.xml package
		(cd $java && sha256sum --quiet --check jars.sha256)
		cat "${built[@]}" >"$stamp"
	fi
done
