#!/bin/sh
# kube-proxy must write its rules where the kubelet wrote its hint chain: in nftables or in the legacy tables.
set -eu
mode=legacy
if iptables-nft-save -t mangle 2>/dev/null | grep -q KUBE-IPTABLES-HINT; then
  mode=nft
fi
update-alternatives --set iptables "/usr/sbin/iptables-$mode" >/dev/null
update-alternatives --set ip6tables "/usr/sbin/ip6tables-$mode" >/dev/null
exec /usr/lib/kube-proxy "$@"
