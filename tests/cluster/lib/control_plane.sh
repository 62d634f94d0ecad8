# shellcheck shell=bash
# etcd, the API server and the controllers, with certificates and a kubeconfig that live only as long as they do.

up() {
  need_for_control_plane
  [ "$MODE" = light ] || need_for_node
  if is_up; then
    [ "$CONTROLLERS" = false ] || controller_manager
    [ "$MODE" = light ] || load_images
    echo "$KUBECONFIG"
    return
  fi
  down
  mkdir -p "$RUN"/{pki,log,pid}
  echo "$BIN" > "$RUN/bin"
  cd "$RUN"
  [ "$MODE" = light ] || node_address
  certificates
  kubeconfig
  control_plane
  if [ "$MODE" = full ]; then
    controller_manager
    start kube-scheduler kube-scheduler --kubeconfig=kubeconfig --leader-elect=false --bind-address=127.0.0.1
    node
  elif [ "$CONTROLLERS" = true ]; then
    controller_manager
  fi
  echo "$KUBECONFIG"
}

certificate() { # NAME SUBJECT [EXTENSION]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "pki/$1.key" -out "pki/$1.csr" -subj "$2" 2> /dev/null
  openssl x509 -req -in "pki/$1.csr" -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 365 -out "pki/$1.crt" \
    -extfile <(echo "${3:-}") 2> /dev/null
}

certificates() {
  (
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout pki/ca.key -out pki/ca.crt -days 365 \
      -subj /CN=taskgroup-cluster 2> /dev/null
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out pki/sa.key 2> /dev/null
    openssl pkey -in pki/sa.key -pubout -out pki/sa.pub
    certificate apiserver /CN=kube-apiserver \
      "subjectAltName=DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$NODE_IP,IP:$SERVICE_API"
    # Without the first, logs and exec are "Unauthorized"; the second is for aggregated APIs.
    certificate kubelet-client /O=system:masters/CN=kubelet-client
    certificate front-proxy /CN=front-proxy
    echo "$(openssl rand -hex 16),admin,admin,system:masters" > pki/tokens.csv
  )
}

kubeconfig() {
  (
    umask 077
    cat > kubeconfig << E
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "https://$API_ADDRESS:$API_PORT", certificate-authority: $RUN/pki/ca.crt}}]
users: [{name: admin, user: {token: $(cut -d, -f1 pki/tokens.csv)}}]
contexts: [{name: local, context: {cluster: local, user: admin}}]
current-context: local
E
  )
}

# What service accounts ask for, but those of Kubernetes itself: a test compares it with the rights that the chart gives.
audit_policy() {
  cat > audit.yaml << E
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: None, userGroups: ["system:serviceaccounts:kube-system"]}
  - {level: Metadata, userGroups: ["system:serviceaccounts"]}
  - {level: None}
E
}

control_plane() {
  local etcd=http://127.0.0.1:$ETCD_PORT peer=http://127.0.0.1:$ETCD_PEER_PORT
  free_port 127.0.0.1 "$ETCD_PORT"
  free_port "$API_ADDRESS" "$API_PORT"
  audit_policy
  start etcd etcd --data-dir etcd --unsafe-no-fsync --listen-client-urls "$etcd" --advertise-client-urls "$etcd" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer"
  start kube-apiserver kube-apiserver --etcd-servers="$etcd" --secure-port="$API_PORT" --bind-address="$API_ADDRESS" \
    --advertise-address="$NODE_IP" --cert-dir=pki --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key \
    --client-ca-file=pki/ca.crt --kubelet-client-certificate=pki/kubelet-client.crt --kubelet-client-key=pki/kubelet-client.key \
    --kubelet-preferred-address-types=InternalIP --requestheader-client-ca-file=pki/ca.crt \
    --requestheader-allowed-names=front-proxy --requestheader-username-headers=X-Remote-User \
    --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file=pki/front-proxy.crt --proxy-client-key-file=pki/front-proxy.key --enable-aggregator-routing \
    --service-cluster-ip-range="$SERVICE_CIDR" --allow-privileged --authorization-mode=Node,RBAC --token-auth-file=pki/tokens.csv \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.pub \
    --service-account-signing-key-file=pki/sa.key --audit-policy-file=audit.yaml --audit-log-path=log/audit.log \
    --audit-log-maxsize=200 --audit-log-maxbackup=1
  wait_for 90 "the API server" answers kube-apiserver kubectl get --raw /readyz
  wait_for 30 "the namespace default" kubectl get namespace default
}

controller_manager() {
  local port=10257
  [ "$MODE" = full ] || port=0
  (
    cd "$RUN"
    start kube-controller-manager kube-controller-manager --kubeconfig=kubeconfig --root-ca-file=pki/ca.crt --secure-port="$port" \
      --bind-address=127.0.0.1 --service-account-private-key-file=pki/sa.key --use-service-account-credentials --leader-elect=false \
      --kube-api-qps=100 --kube-api-burst=200
  )
}
