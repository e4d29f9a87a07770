"""Files that break one rule each. § stands right before the place that the violation must name."""

from __future__ import annotations

from tests.unit.support.policy_values import KNOWN, Bad

_DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - name: api
          image: keybuzz/api:1.4.2
"""
_SCALER = """---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
  maxReplicas: 4
"""


def _object(kind: str, spec: str, version: str = "v1", name: str = "api") -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}"


def _pods(kind: str, more: str = "", network: str = "") -> str:
    template = _DEPLOYMENT.replace("kind: Deployment", f"kind: {kind}")
    return (
        template.replace("    spec:\n      containers", f"    spec:\n{network}      containers")
        + more
    )


def _config(lines: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata:\n{lines}"


ENDPOINTS = (
    Bad("EP-1", ".env", "REDIS_URL=redis://§redis-01:6379"),
    Bad("EP-1", ".env", "REDIS_URL=redis://§10.0.0.123:6379/0"),
    Bad("EP-1", ".env", "LOG=info\n\nAMQP_URL=amqp://§queue-02:5672"),
    Bad("EP-1", ".env", 'MARIADB_HOST="§10.0.0.170"'),
    Bad("EP-1", ".env", "MARIADB_HOST=§proxysql-01"),
    Bad("EP-1", ".env", "PGHOST=§haproxy-02"),
    Bad("EP-1", ".env", "PGHOST=§HAPROXY-01"),
    Bad("EP-1", ".env.production", "PGHOST=§db-master.keybuzz.io"),
    Bad("EP-1", "api.env", "PGHOST=§db-master-01.keybuzz.io"),
    Bad("EP-1", ".env", "S3_ENDPOINT=http://§10.0.0.131:9000"),
    Bad("EP-1", ".env", "S3_ENDPOINT=https://§s3.keybuzz.io"),
    Bad("EP-1", ".env", "S3_CONSOLE=http://§10.0.0.134:9001"),
    Bad("EP-1", ".env", "PGHOST=§203.0.113.19"),
    Bad("EP-1", ".env", "NODES=redis.example.com,§redis-03:26379"),
    Bad("EP-1", ".env", "REDIS_URL=redis://§10.0.0.10:3306"),
    Bad("EP-1", ".env", "MARIADB_URL=mysql://§10.0.0.20:6033/erp"),
    Bad("EP-1", "app.ini", "[redis]\nhost = §redis-02\n"),
    Bad("EP-1", "app.toml", '[database]\nhost = "§10.0.0.121"\n'),
    Bad(
        "EP-1",
        "compose.yaml",
        "services:\n  api:\n    image: keybuzz/api:1.4.2\n"
        "    environment:\n      AMQP_URL: amqp://§queue-01:5672\n",
    ),
    Bad(
        "EP-1",
        "docker-compose.yml",
        'services:\n  api:\n    image: keybuzz/api:1.4.2\n    extra_hosts: ["redis:§10.0.0.124"]\n',
    ),
    Bad("EP-1", "settings.yaml", _config("  REDIS_HOST: §redis-01\n")),
    Bad(
        "EP-1",
        "settings.yaml",
        _config("  app.ini: |\n    # redis-01 was here\n    host = §redis-01\n"),
    ),
    Bad(
        "EP-1",
        "endpoints.yaml",
        "apiVersion: v1\nkind: Endpoints\nmetadata: {name: db}\nsubsets:\n"
        "  - addresses: [{ip: §10.0.0.120}]\n    ports: [{port: 5432}]\n",
    ),
    Bad(
        "EP-1",
        "settings.json",
        '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"},\n "data": {"H": "§redis-01"}}',
    ),
    Bad("EP-1", "values.yaml", "database:\n  hostname: §db-slave-01\n"),
    Bad("EP-1", "Dockerfile", "FROM alpine:3.20.3\nENV REDIS_HOST=§redis-01\n"),
    Bad("EP-1", "haproxy.cfg", "backend r\n    mode tcp\n    server r1 §10.0.0.123:6379\n"),
    Bad("EP-1", "run.sh", "export PGHOST=§10.0.0.122\n"),
    Bad("EP-1", "run.sh", "# redis-01 was the master\nredis-cli -h §redis-01 ping\n"),
    Bad("EP-1", "run.sh", "cat > api.env <<EOF\nREDIS_HOST=§redis-01\nEOF\n"),
    Bad("EP-1", "guide.md", "Set:\n\n```env\nPGHOST=§db-master-01\n```\n"),
)
VERSIONS = (
    Bad("VER-1", "compose.yaml", "services:\n  cache:\n    image: §redis:latest\n"),
    Bad("VER-1", "compose.yaml", "services:\n  cache:\n    image: §redis\n"),
    Bad("VER-1", "compose.yaml", "services:\n  cache:\n    image: §redis:7-alpine\n"),
    Bad("VER-1", "compose.yaml", 'services:\n  queue:\n    image: "§rabbitmq:3.12-management"\n'),
    Bad("VER-1", "compose.yaml", "services:\n  api:\n    image: §${REGISTRY}/api:latest\n"),
    Bad("VER-1", "compose.yaml", "services:\n  api:\n    image: §keybuzz/api:${VERSION:-latest}\n"),
    Bad("VER-1", "compose.yaml", "services:\n  api:\n    image: §registry.keybuzz.io:5000/api\n"),
    Bad(
        "VER-1", "api.yaml", _DEPLOYMENT.replace("keybuzz/api:1.4.2", "§keybuzz/api:main") + _SCALER
    ),
    Bad(
        "VER-1",
        "api.yaml",
        _DEPLOYMENT.replace("keybuzz/api:1.4.2", "§keybuzz/api:latest@sha256:" + "ab" * 32)
        + _SCALER,
    ),
    Bad("VER-1", "values.yaml", "image:\n  repository: keybuzz/api\n  tag: §stable\n"),
    Bad("VER-1", "Dockerfile", "FROM §node:20\n"),
    Bad(
        "VER-1", "Dockerfile", "ARG BASE=python:3\nFROM --platform=linux/amd64 §${BASE} AS build\n"
    ),
    Bad(
        "VER-1",
        "Dockerfile",
        "FROM alpine:3.20.3 AS build\nCOPY --from=§nginx /etc/nginx /etc/nginx\n",
    ),
    Bad(
        "VER-1",
        "Dockerfile",
        "FROM python:3.12.7\nRUN pip install \\\n    django==5.1.3 \\\n    §gunicorn\n",
    ),
    Bad(
        "VER-1",
        "run.sh",
        "docker run -d --name cache -p 127.0.0.1:1:1 §redis:alpine redis-server\n",
    ),
    Bad("VER-1", "run.sh", "docker pull §minio/minio\n"),
    Bad("VER-1", "run.sh", "docker build --tag §keybuzz/api:latest .\n"),
    Bad("VER-1", "run.sh", "kubectl -n shop set image deployment/web web=§keybuzz/web:dev\n"),
    Bad("VER-1", "run.sh", "curl -fsSLO §https://example.com/mc/releases/latest/download/mc\n"),
    Bad("VER-1", ".env", "API_IMAGE=§keybuzz/api:latest\n"),
    Bad("VER-2", "compose.yaml", "services:\n  cache:\n    image: §redis:7.4.7-alpine\n"),
    Bad("VER-2", "run.sh", "docker pull §rabbitmq:3.13.2-management\n"),
    Bad("VER-2", "Dockerfile", "FROM §haproxy:2.9.1\n"),
    Bad("VER-2", ".env", "DB_IMAGE=§proxysql/proxysql:2.7.0\n"),
    Bad("VER-1", "notes.md", "**Image finale** : `§patroni-pg16-raft:latest`\n"),
)
CLUSTER = (
    Bad("K3S-3", "api.yaml", _pods("§DaemonSet")),
    Bad("K3S-3", "api.yaml", _pods("Deployment", _SCALER, "      hostNetwork: §true\n")),
    Bad(
        "K3S-3",
        "api.yaml",
        _DEPLOYMENT
        + "          ports: [{containerPort: 80, hostPort: §80}]\n"
        + _SCALER
        + "---\n"
        + _object("Service", "  selector: {app: api}\n  ports: [{port: 80}]\n"),
    ),
    Bad("K3S-3", "api.yaml", _DEPLOYMENT.replace("name: api}\nspec:", "name: §api}\nspec:", 1)),
    Bad(
        "K3S-3",
        "api.yaml",
        _DEPLOYMENT.replace("name: api}\nspec:", "name: §api}\nspec:", 1)
        + "          ports: [{containerPort: 80}]\n"
        + _SCALER,
    ),
    Bad("K3S-3", "service.yaml", _object("Service", "  type: §NodePort\n  ports: [{port: 80}]\n")),
    Bad(
        "K3S-3",
        "service.yaml",
        _object("Service", "  type: §LoadBalancer\n  ports: [{port: 80}]\n"),
    ),
    Bad(
        "K3S-3",
        "service.yaml",
        _object("Service", "  externalIPs: [§10.0.0.99]\n  ports: [{port: 80}]\n"),
    ),
    Bad(
        "K3S-3",
        "pod.yaml",
        "apiVersion: v1\nkind: §Pod\nmetadata: {name: api}\n"
        "spec: {containers: [{name: api, image: 'keybuzz/api:1.4.2'}]}\n",
    ),
    Bad(
        "K3S-3",
        "database.yaml",
        _pods("§StatefulSet").replace("  selector:", "  serviceName: api\n  selector:"),
    ),
    Bad(
        "K3S-3",
        "two.yaml",
        _config("  LEVEL: info\n") + "---\n" + _pods("§DaemonSet"),
    ),
    Bad(
        "K3S-3",
        "list.yaml",
        "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Service\n"
        "    metadata: {name: api}\n    spec: {type: §NodePort, ports: [{port: 80}]}\n",
    ),
)
EXPOSURE = (
    Bad(
        "MIN-4",
        "ingress.yaml",
        _object(
            "Ingress",
            "  rules:\n    - host: §s3.keybuzz.io\n",
            "networking.k8s.io/v1",
        ),
    ),
    Bad(
        "MIN-4",
        "ingress.yaml",
        _object(
            "Ingress",
            "  defaultBackend:\n    service: {name: §minio, port: {number: 9000}}\n",
            "networking.k8s.io/v1",
        ),
    ),
    Bad(
        "MIN-4",
        "compose.yaml",
        "services:\n  s3:\n    image: minio/minio:RELEASE.2024-10-02T17-50-41Z\n"
        '    ports: ["§9000:9000"]\n',
    ),
    Bad(
        "MIN-4",
        "compose.yaml",
        "services:\n  s3:\n    image: minio/minio:RELEASE.2024-10-02T17-50-41Z\n"
        '    ports: ["§203.0.113.32:9000:9000"]\n',
    ),
    Bad(
        "MIN-4",
        "run.sh",
        "docker run -d -p §9000:9000 minio/minio:RELEASE.2024-10-02T17-50-41Z server /data\n",
    ),
    Bad("MIN-4", "run.sh", "minio server /data --console-address §:9001\n"),
    Bad(
        "MIN-4",
        "haproxy.cfg",
        "listen s3\n    mode http\n    bind §*:80\n    server m1 10.0.0.134:9000 check\n",
    ),
    Bad(
        "MIN-4",
        "haproxy.cfg",
        "frontend web\n    bind §0.0.0.0:443 ssl crt /etc/keybuzz.pem\n    default_backend files\n"
        "backend files\n    server m1 10.0.0.134:9000 check\n",
    ),
    Bad("MIN-5", "run.sh", 'mc alias set §s3 http://10.0.0.134:9000 "$USER" "$PASS"\n'),
    Bad(
        "MIN-5", "run.sh", 'set -e\nmc alias set §minio http://files.example.com "$USER" "$PASS"\n'
    ),
    Bad("MIN-5", "run.sh", 'mc config host add §backup http://10.0.0.134:9000 "$USER" "$PASS"\n'),
    Bad(
        "MIN-5",
        "Dockerfile",
        "FROM minio/mc:RELEASE.2024-10-02T08-27-28Z\nRUN mc alias set §files http://10.0.0.134:9000 u p\n",
    ),
    Bad("MIN-5", ".env", "MC_HOST_files=§http://10.0.0.134:9000\n"),
    Bad("LB-3", "haproxy.cfg", "frontend redis\n    mode tcp\n    bind §10.0.0.10:6379\n"),
    Bad("LB-3", "haproxy.cfg", "listen pg §10.0.0.10:5432\n    mode tcp\n"),
    Bad("LB-3", "proxysql.cnf", 'mysql_variables=\n{\n    interfaces="§10.0.0.20:3306"\n}\n'),
    Bad(
        "LB-3",
        "compose.yaml",
        'services:\n  lb:\n    image: haproxy:2.8.5\n    ports: ["§10.0.0.10:6379:6379"]\n',
    ),
    Bad("LB-3", "run.sh", "docker run -d -p §10.0.0.20:3306:6033 proxysql/proxysql:2.6.4\n"),
    Bad("LB-3", "run.sh", "sudo ip addr add §10.0.0.10/32 dev lo\n"),
    Bad("LB-3", "redis.conf", "port 6379\nbind §10.0.0.10\n"),
    Bad("LB-3", ".env", "LISTEN_ADDRESS=§10.0.0.20\n"),
)
SECRETS = (
    Bad("SEC-2", ".env", f"REDIS_PASSWORD=§{KNOWN}\n"),
    Bad("SEC-2", "notes.txt", f"the password is §{KNOWN}, do not tell\n"),
    Bad("SEC-2", "app.py", f'connect(password="§{KNOWN}")\n'),
    Bad("SEC-2", "notes.txt", "it is '§p@ss/w:rd with=edges'\n"),
    Bad("SEC-2", "notes.txt", "amqp://user:§p%40ss%2Fw%3Ard%20with%3Dedges@10.0.0.10:5672\n"),
    Bad("SEC-2", "notes.txt", "secret: §Wms0dlE5c0x3MlhyVDdiTjFtWWM4SGRQZQ==\n"),
    Bad("SEC-2", ".env", f"# REDIS_PASSWORD=§{KNOWN}\n"),
    Bad("SEC-2", ".env", "DB_PASSWORD=§hunter2hunter2\n"),
    Bad("SEC-2", ".env", "#DB_PASSWORD=§hunter2hunter2\n"),
    Bad("SEC-2", ".env", "DATABASE_URL=postgresql://kb_app:§sunshine42@10.0.0.10:6432/shop\n"),
    Bad(
        "SEC-2",
        ".env",
        "HCLOUD_TOKEN=§" + "h7Kd2mQ9xT4vB8nL1pR6" * 2 + "sW3yF5jG0cZ8aE2uO7iX4kM9\n",
    ),
    Bad("SEC-2", ".env", "SOMETHING=§q7Kd2mQ9xT4vB8nL1pR6sW3y\n"),
    Bad("SEC-2", "id", "§-----BEGIN OPENSSH PRIVATE KEY-----\n"),
    Bad("SEC-2", "main.tf", 'token = "§ghp_' + "a1B2c3D4e5F6" * 3 + '"\n'),
    Bad("SEC-2", "config.json", '{"key": "§sk_live_' + "a1B2c3D4e5F6" * 2 + '"}\n'),
    Bad("SEC-2", "guide.md", "Use `§AKIA" + "Q3EGRT7ZHYXLWKVB" + "` there.\n"),
    Bad(
        "SEC-2",
        "compose.yaml",
        "services:\n  api:\n    image: keybuzz/api:1.4.2\n    environment:\n      - API_KEY=§correct-horse\n",
    ),
    Bad(
        "SEC-2",
        "api.yaml",
        _DEPLOYMENT + "          env: [{name: DB_PASSWORD, value: §hunter2hunter2}]\n" + _SCALER,
    ),
    Bad(
        "SEC-2",
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  user: §shop-user\n",
    ),
    Bad(
        "SEC-2",
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata:\n  user: §c2hvcC11c2Vy\n",
    ),
    Bad(
        "SEC-2",
        "Dockerfile",
        "FROM alpine:3.20.3\nENV LEVEL=info \\\n    ADMIN_PASSWORD=§hunter2hunter2\n",
    ),
    Bad("SEC-2", "run.sh", "docker run -d -e REDIS_PASSWORD=§hunter2hunter2 redis:7.2.5-alpine\n"),
    Bad("SEC-2", "run.sh", "redis-server --requirepass §hunter2hunter2\n"),
    Bad("SEC-2", "values.yaml", "auth:\n  rootPassword: '§hunter2hunter2'\n"),
)
IMAGES = (
    Bad("KBZ-2", "Dockerfile", "FROM alpine:3.20.3\nRUN §apt-get update\n"),
    Bad("KBZ-2", "Dockerfile", "FROM debian:12.8 AS base\nFROM base\nRUN set -e; §apk add curl\n"),
    Bad("PG-2", "compose.yaml", "services:\n  db:\n    image: §zalando/patroni:3.3.0\n"),
    Bad(
        "PG-2",
        "Dockerfile",
        "FROM postgres:16.4-bookworm\nRUN pip3 install §patroni[raft]==3.3.2\nUSER postgres\n",
    ),
    Bad(
        "PG-2",
        "Dockerfile",
        "FROM postgres:16.4-bookworm\nRUN pip3 install patroni[raft]==3.3.0\n§USER root\n",
    ),
    Bad(
        "PG-2",
        "Dockerfile",
        'FROM postgres:16.4-bookworm\nUSER postgres\n§CMD ["patroni", "/etc/p.yml"]\n',
    ),
)
FORM = (
    Bad("KBZ-1", "app.yaml", "a: 1\nb: [1, 2\nc§: 3\n"),
    Bad(
        "KBZ-1",
        "api.yaml",
        _DEPLOYMENT.replace("          image", "          §imagge: x\n          image") + _SCALER,
    ),
    Bad(
        "KBZ-1",
        "api.yaml",
        _DEPLOYMENT.replace("spec:\n  sel", "spec:\n  replicas: §many\n  sel") + _SCALER,
    ),
    Bad(
        "KBZ-1",
        "service.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec:\n  ports:\n    - §name: http\n",
    ),
    Bad(
        "KBZ-1",
        "old.yaml",
        "apiVersion: §extensions/v1beta1\nkind: Ingress\nmetadata: {name: api}\n",
    ),
)
TABLE = ENDPOINTS + VERSIONS + CLUSTER + EXPOSURE + SECRETS + IMAGES + FORM
