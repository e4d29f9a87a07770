#!/usr/bin/env bash
# Puts one version of shop into the cluster. Secrets come from the environment of the caller.
set -euo pipefail
version=${1:?usage: release.sh VERSION}
image="registry.keybuzz.io/shop:${version}"

docker build -t "$image" .
docker push "$image"

mc alias set minio http://10.0.0.134:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"
mc mb --ignore-existing minio/shop

kubectl -n shop create secret generic shop-credentials \
  --from-literal=postgres-app-pass="$POSTGRES_APP_PASS" --dry-run=client -o yaml | kubectl apply -f -
kubectl -n shop set image deployment/shop-web web="$image"
kubectl -n shop rollout status deployment/shop-web --timeout=5m

# Operators look at a host by its name; that is no endpoint of the application.
ssh k8s-worker-01 crictl images | grep shop
