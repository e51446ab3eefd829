#!/bin/sh
# Install the Debian packages that the tests use. Where that is not possible, say so: those tests then skip.
set -u
wanted=""
command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ] || wanted="$wanted mosquitto"
command -v systemd-nspawn >/dev/null 2>&1 || wanted="$wanted systemd-container"
command -v strace >/dev/null 2>&1 || wanted="$wanted strace"
command -v faketime >/dev/null 2>&1 || wanted="$wanted faketime"
command -v mmdebstrap >/dev/null 2>&1 || wanted="$wanted mmdebstrap"
command -v lintian >/dev/null 2>&1 || wanted="$wanted lintian"
command -v shellcheck >/dev/null 2>&1 || wanted="$wanted shellcheck"
command -v apt-ftparchive >/dev/null 2>&1 || wanted="$wanted apt-utils"
command -v qemu-aarch64-static >/dev/null 2>&1 || wanted="$wanted qemu-user-static binfmt-support arch-test"
command -v prometheus >/dev/null 2>&1 || wanted="$wanted prometheus"
command -v smbclient >/dev/null 2>&1 || wanted="$wanted smbclient"
[ -x /usr/sbin/nft ] || wanted="$wanted nftables"
# Services that would start, or take another's place, on a computer that somebody works at: there their tests skip.
if [ ! -d /run/systemd/system ]; then
  [ -x /usr/sbin/smbd ] || wanted="$wanted samba"
  [ -x /usr/sbin/chronyd ] || wanted="$wanted chrony"
fi
command -v npm >/dev/null 2>&1 || wanted="$wanted nodejs npm"
[ -x /usr/bin/chromium ] || wanted="$wanted chromium"
/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || wanted="$wanted python3-venv"
[ -z "$wanted" ] && exit 0
command -v apt-get >/dev/null 2>&1 || { echo "no apt-get: tests that need$wanted will be skipped"; exit 0; }
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
# A broker of the system's own would only be in the way; the tests start theirs.
{ $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null \
  || echo "could not install$wanted: the tests that need them will be skipped"
