#!/bin/sh
# Makes a Debian root into Fleet's image: `build.sh SOURCE`, as root, inside of it.
# SOURCE is a checkout; nothing is written there. What pip and apt are told by their variables and
# configuration holds.
set -eu

source=$1
prefix=/opt/fleet
home=/var/lib/fleet
user=65532

export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends \
    bubblewrap ca-certificates git openssh-client python3 python3-venv tini

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What is pinned is fetched and checked by hash; what Fleet needs of it is installed from there.
python3 -m venv "$scratch/build"
pip="$scratch/build/bin/pip --quiet --disable-pip-version-check --no-cache-dir"
$pip download --require-hashes --dest "$scratch/wheels" -r "$source/constraints.txt"
$pip install --no-index --find-links "$scratch/wheels" hatchling editables
mkdir "$scratch/source"
tar -C "$source" --exclude=./.git --exclude=./.venv -cf - . | tar -C "$scratch/source" -xf -
$pip wheel --no-deps --no-build-isolation --wheel-dir "$scratch/wheels" "$scratch/source"
python3 -m venv "$prefix"
"$prefix/bin/pip" --quiet --disable-pip-version-check --no-cache-dir install \
    --no-index --find-links "$scratch/wheels" fleet-gitops

# helm and kubectl, pinned by hash as well; where there are none for this processor, put yours
# into /usr/local/bin.
if [ "$(uname -m)" = x86_64 ]; then
    FLEET_HOME="$scratch/home" "$prefix/bin/fleet" tools install
    install -m 0755 "$scratch"/home/tools/*/helm "$scratch"/home/tools/*/kubectl /usr/local/bin
fi

# Pods name the account by number; ssh wants to know it by name.
groupadd --gid "$user" fleet
useradd --uid "$user" --gid "$user" --no-log-init --no-create-home --home-dir "$home" \
    --shell /usr/sbin/nologin fleet
install -d -o "$user" -g "$user" -m 0750 "$home"

"$prefix/bin/pip" uninstall --quiet --yes pip
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
