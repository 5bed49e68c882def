#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs what building (and with "test" also testing) edge-roll needs and this machine lacks.
#   tests/packages.sh [build|test|lint|fuzz|valgrind]...
# Debian and its kin by apt-get; RHEL 9 and its kin by dnf (written from the package lists, not run here:
# cmocka, libnftnl-devel and inih-devel come from CRB, cjson-devel and monit from EPEL).
set -eu

debian_build='gcc make pkg-config libc6-dev libsystemd-dev libnftnl-dev libmnl-dev libcurl4-openssl-dev
        libcjson-dev libinih-dev libxml2-dev libarchive-dev libzookeeper-st-dev'
debian_run='libcurl4 libxml2 libarchive13 libzookeeper-st2 dbus'
debian_test='libcmocka-dev libssl-dev systemd-container systemd nftables iptables iproute2 haproxy nginx-light
        libnginx-mod-http-echo monit dbus jq procps curl util-linux mandoc openssh-server openssh-client
        ansible-core puppet-agent sudo openssl firewalld cron libzookeeper-java default-jre-headless python3 spin'
debian_lint='clang clang-format clang-tidy cppcheck'
debian_fuzz='clang libclang-rt-14-dev'
debian_valgrind='valgrind libc6-dbg'
redhat_build='gcc make pkgconf-pkg-config systemd-devel libnftnl-devel libmnl-devel libcurl-devel cjson-devel
        inih-devel libxml2-devel libarchive-devel'
redhat_test='libcmocka-devel openssl-devel systemd-container nftables iptables-nft iproute haproxy nginx monit dbus-daemon jq
        procps-ng curl util-linux mandoc openssh-server openssh-clients ansible-core sudo openssl firewalld cronie python3'
redhat_lint='clang clang-tools-extra cppcheck'
redhat_fuzz='clang compiler-rt'
redhat_valgrind='valgrind'

wanted=
if command -v apt-get >/dev/null 2>&1; then
        for set in "${@:-build}"; do
                case $set in
                build) wanted="$wanted $debian_build $debian_run" ;;
                test) wanted="$wanted $debian_test" ;;
                lint) wanted="$wanted $debian_lint" ;;
                fuzz) wanted="$wanted $debian_fuzz" ;;
                valgrind) wanted="$wanted $debian_valgrind" ;;
                *) echo "packages.sh: \"$set\" is not build, test, lint, fuzz or valgrind" >&2; exit 2 ;;
                esac
        done
        missing=
        for p in $wanted; do
                dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
        done
        [ -n "$missing" ] || exit 0
        echo "installing:$missing"
        # Services of these packages are not wanted on this machine: the tests run them in nodes of their own.
        policy=/usr/sbin/policy-rc.d
        made=
        if [ ! -e $policy ]; then
                printf '#!/bin/sh\nexit 101\n' >$policy
                chmod 755 $policy
                made=yes
        fi
        trap '[ -z "$made" ] || rm -f $policy' EXIT
        log=$(mktemp)
        if ! { apt-get update -qq &&
               DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
                tail -20 "$log" >&2
                rm -f "$log"
                echo "packages.sh: apt-get could not install:$missing" >&2
                exit 1
        fi
        rm -f "$log"
elif command -v dnf >/dev/null 2>&1; then
        for set in "${@:-build}"; do
                case $set in
                build) wanted="$wanted $redhat_build" ;;
                test) wanted="$wanted $redhat_test" ;;
                lint) wanted="$wanted $redhat_lint" ;;
                fuzz) wanted="$wanted $redhat_fuzz" ;;
                valgrind) wanted="$wanted $redhat_valgrind" ;;
                esac
        done
        rpm -q --quiet $wanted || dnf install -y --enablerepo=crb $wanted
else
        echo "packages.sh: neither apt-get nor dnf here; install these by hand: $debian_build $debian_test" >&2
        exit 1
fi
