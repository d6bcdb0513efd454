#!/bin/bash
# A Kubernetes node in a container, without systemd: prepares mounts, cgroups and the network as kind expects of a
# node, then keeps containerd and the kubelet running.
#
# Pods' network: the last octet N of the node's address gives it the subnet 10.244.N.0/24, and a route to each
# neighbour's. Nothing has to be agreed on, so there is no CNI image and any number of nodes finds each other.
set -euo pipefail

PODS=10.244.0.0/16
SERVICES=10.96.0.0/16

prepare_cgroups_v1() {
  local controller
  for controller in /sys/fs/cgroup/*/; do
    mkdir -p "$controller/kubelet" 2>/dev/null || true
  done
  # A fresh cpuset is empty and would refuse every process.
  cat /sys/fs/cgroup/cpuset/cpuset.cpus >/sys/fs/cgroup/cpuset/kubelet/cpuset.cpus
  cat /sys/fs/cgroup/cpuset/cpuset.mems >/sys/fs/cgroup/cpuset/kubelet/cpuset.mems
}

prepare_cgroups_v2() {
  local process controllers
  # Controllers can be passed on only by a group that holds no process itself.
  mkdir -p /sys/fs/cgroup/init /sys/fs/cgroup/kubelet
  while read -r process; do
    echo "$process" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
  done </sys/fs/cgroup/cgroup.procs
  controllers=$(sed 's/[a-z_]*/+&/g' /sys/fs/cgroup/cgroup.controllers)
  echo "$controllers" >/sys/fs/cgroup/cgroup.subtree_control
  echo "$controllers" >/sys/fs/cgroup/kubelet/cgroup.subtree_control
}

# Use the iptables in whose tables Docker put its name server's rules: two sets of rules would not see each other.
choose_iptables() {
  local mode=legacy
  if iptables-nft-save -t nat 2>/dev/null | grep -q DOCKER_OUTPUT; then
    mode=nft
  fi
  update-alternatives --set iptables "/usr/sbin/iptables-$mode" >/dev/null
  update-alternatives --set ip6tables "/usr/sbin/ip6tables-$mode" >/dev/null
}

# Docker's name server 127.0.0.11 answers in the node's own namespace only; pods reach it under the gateway's address.
share_name_server() {
  local gateway=$1 rules
  rules=$(iptables-save -t nat)
  {
    echo "$rules" | sed -e "s/-d 127\.0\.0\.11/-d $gateway/" -e "s/--to-source :53/--to-source $gateway:53/" -e '/^COMMIT/d'
    echo "$rules" | grep -e '^-A OUTPUT .*DOCKER_OUTPUT' |
      sed -e 's/^-A OUTPUT/-A PREROUTING/' -e "s/-d 127\.0\.0\.11/-d $gateway/"
    echo "-A POSTROUTING -s $PODS ! -d $PODS -j MASQUERADE"
    echo COMMIT
  } | iptables-restore
  # Until kube-proxy has written its rules, a Service's address would be looked for outside. Dropped, a first
  # packet is sent again and then finds its way; answered by whoever is out there, the client would give up.
  iptables -A FORWARD -d "$SERVICES" -j DROP
  sysctl -qw net.ipv4.conf.all.route_localnet=1
  # A bind mount of Docker's: it can be written to, not replaced.
  sed "s/^nameserver 127\.0\.0\.11/nameserver $gateway/" /etc/resolv.conf >/tmp/resolv.conf
  cat /tmp/resolv.conf >/etc/resolv.conf
}

route_to_neighbours() {
  local network=$1 own=$2 octet
  for octet in {2..254}; do
    [ "$octet" = "$own" ] || echo "route replace 10.244.$octet.0/24 via $network.$octet"
  done | ip -batch -
}

write_cni() {
  rm -rf /var/lib/cni/networks/kind # leases of pods that ended with the node's last life
  cat >/etc/cni/net.d/10-kind.conflist <<JSON
{"cniVersion": "1.0.0", "name": "kind", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.$1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
JSON
}

# A restarted node may have another address than the one that kubeadm wrote down. Certificates hold the old one too, so
# what talks to this node's own API server does so by its name from then on.
correct_address() {
  local address=$1 old
  old=$(cat /kind/address 2>/dev/null || echo "$address")
  if [ "$old" != "$address" ]; then
    find /etc/kubernetes/manifests /var/lib/kubelet/kubeadm-flags.env /kind/kubeadm.conf -type f \
      -exec sed -i "s/\b${old//./\\.}\b/$address/g" {} + 2>/dev/null || true
    find /etc/kubernetes -maxdepth 1 -name '*.conf' \
      -exec sed -i "s#server: https://${old//./\\.}:#server: https://$HOSTNAME:#" {} +
  fi
  echo "$address" >/kind/address
}

keep_running() {
  local name=$1
  while true; do
    "$name" >>"/var/log/${name##*_}.log" 2>&1 || true
    sleep 1
  done
}

run_containerd() { /usr/local/bin/containerd; }

run_kubelet() {
  [ -f /var/lib/kubelet/config.yaml ] || return 0 # kubeadm has not been here yet
  local KUBELET_KUBEADM_ARGS=
  # shellcheck disable=SC1091 # written by kubeadm on the node
  [ ! -f /var/lib/kubelet/kubeadm-flags.env ] || . /var/lib/kubelet/kubeadm-flags.env
  # shellcheck disable=SC2086 # a list of flags
  /usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
    --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
}

# Let everything on the node end in order; Docker kills what is left after its own grace.
stop() {
  trap - TERM INT
  kill -TERM -1 2>/dev/null || true
  sleep 5
  exit 0
}

mount -o remount,rw /sys
mount --make-rshared /
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then prepare_cgroups_v2; else prepare_cgroups_v1; fi

address=$(ip -4 -oneline address show dev eth0 | sed 's/.* inet \([0-9.]*\).*/\1/')
octet=${address##*.}
choose_iptables
share_name_server "$(ip -4 route show default | sed 's/.* via \([0-9.]*\).*/\1/')"
route_to_neighbours "${address%.*}" "$octet"
write_cni "$octet"
correct_address "$address"

trap stop TERM INT
keep_running run_containerd &
keep_running run_kubelet &
echo "Reached target Multi-User System." # what kind waits for
while true; do wait || true; done
