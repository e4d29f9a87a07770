"""Spellings of secrets as compose files, units, `docker run` and scripts have them in the field; @@ is the secret."""

from __future__ import annotations

import json
import shlex

import pytest

from keybuzz.transport.said.veil import Veil

SECRETS = ("Zq7Real0Life9PwX4", "p@ss/W0rd+9=Xy7", "h8#nL4$kQ2!vT6")
"""Letters and digits; what generators of Base64 make; what people type."""
VEIL = Veil(b"k" * 32)

COMPOSE = (
    "command: redis-server --requirepass @@",
    "command: redis-server --appendonly yes --requirepass '@@' --save 60 1",
    'command: ["redis-server", "--requirepass", "@@"]',
    "command:\n      - redis-server\n      - --requirepass\n      - '@@'\n      - --dir",
    "command:\n  - redis-server\n  - --requirepass\n  - @@",
    'test: ["CMD", "redis-cli", "-a", "@@", "ping"]',
    'test: ["CMD-SHELL", "redis-cli -a @@ ping | grep PONG"]',
    'test: ["CMD", "redis-cli", "--pass", "@@", "ping"]',
    'test: ["CMD", "mysqladmin", "ping", "-h", "localhost", "-uroot", "-p@@"]',
    'test: ["CMD", "mariadb-admin", "ping", "-u", "root", "--password=@@"]',
    "test: mysqladmin ping -h 127.0.0.1 -u root --password=@@",
    "environment:\n  - POSTGRES_PASSWORD=@@",
    "environment:\n  POSTGRES_PASSWORD: @@",
    'environment:\n  - "RABBITMQ_DEFAULT_PASS=@@"',
    "  MYSQL_PWD: @@",
    "  SECRET_KEY_BASE: @@",
    "  - SECRET_KEY_BASE=@@",
    "  - N8N_ENCRYPTION_KEY=@@",
    "  - N8N_BASIC_AUTH_PASSWORD=@@",
    "  NEO4J_AUTH: neo4j/@@",
    "  - NEO4J_AUTH=neo4j/@@",
    "  SALT: @@",
    "  - LANGFUSE_SALT=@@",
    "  NEXTAUTH_SECRET: @@",
    "  SERVICE_ROLE_KEY: @@",
    "  - SUPABASE_SERVICE_KEY=@@",
    "  - ANON_KEY=@@",
    "  PG_META_CRYPTO_KEY: @@",
    "  - APP_KEY=base64:@@",
    "  - MASTER_KEY=@@",
    "  RAILS_MASTER_KEY: @@",
    "  MEILI_MASTER_KEY: '@@'",
    "  - OPENAI_API_KEY=sk-proj-@@",
    "  DD_API_KEY: @@",
    "  STRIPE_SECRET_KEY: @@",
    "  - WEBHOOK_API_KEY=@@",
    "  - GF_SECURITY_ADMIN_PASSWORD=@@",
    "  - MINIO_ACCESS_KEY=@@",
    "  - AWS_SECRET_ACCESS_KEY=@@",
    "  - RESTIC_PASSWORD=@@",
    "  - SMTP_PASS=@@",
    "  DB_PASS: @@",
    "  - DB_PW=@@",
    "  - mysql_root_pw=@@",
    "  - TYPEORM_PASSWORD=@@",
    "  - SPRING_DATASOURCE_PASSWORD=@@",
    "  - AUTHENTIK_SECRET_KEY=@@",
    "  - PGADMIN_DEFAULT_PASSWORD=@@",
    "  DATABASE_DSN: host=db user=app password=@@ dbname=app sslmode=disable",
    "  - CONNECTION_STRING=Server=db;Port=5432;User Id=app;Password=@@;Database=app",
    "  - JDBC_URL=jdbc:postgresql://db/app?user=app&password=@@",
    "  - RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-setcookie @@",
    "  PATRONI_SUPERUSER_PASSWORD: '@@'",
    "  PATRONI_admin_PASSWORD: @@",
    "  - GALERA_SST_PASS=@@",
    "  - MARIADB_GALERA_MARIABACKUP_PASSWORD=@@",
    "env:\n  - name: DB_PASSWORD\n    value: @@",
    'env: [{"name": "DB_PASSWORD", "value": "@@"}]',
)
UNITS = (
    "Environment=API_KEY=sk_live_@@",
    'Environment="SLICK_DB_PASSWORD=@@"',
    "Environment='SESSION_SECRET=@@' 'PORT=3000'",
    'Environment="NODE_ENV=production" "JWT_SECRET=@@"',
    "Environment=SESSION_SECRET=@@",
    "ExecStart=/usr/bin/docker run --rm --name db -e POSTGRES_PASSWORD=@@ postgres:16",
    "ExecStart=/usr/bin/docker run --rm --env=MYSQL_ROOT_PASSWORD=@@ mariadb",
    "ExecStart=/usr/local/bin/k3s server --token @@",
    "ExecStart=/usr/local/bin/k3s agent --server https://10.0.0.100:6443 --token=@@",
    "ExecStart=/usr/local/bin/k3s server --agent-token @@",
    "ExecStart=/usr/local/bin/k3s \\\n    server \\\n        '--token' \\\n        '@@' \\\n",
    "ExecStart=/usr/bin/redis-server /etc/redis/redis.conf --requirepass @@",
    "ExecStart=/usr/bin/redis_exporter -redis.password @@",
    "ExecStart=/usr/bin/redis_exporter --redis.password=@@",
    "ExecStart=/usr/bin/rabbitmq_exporter --rabbit.pass @@",
    "ExecStart=/usr/bin/patroni_exporter --patroni.password @@",
    "ExecStart=/bin/sh -c 'exec redis-server --requirepass @@ --port 6380'",
    "ExecStop=/usr/bin/redis-cli -p 6380 -a @@ shutdown",
    "ExecStop=/usr/bin/redis-cli --no-auth-warning -a @@ shutdown",
)
COMMANDS = (
    "docker run -d --name redis -e REDIS_PASSWORD=@@ bitnami/redis",
    'docker run -d -e "MYSQL_ROOT_PASSWORD=@@" -p 3306:3306 mysql',
    "docker run -d -e MINIO_ROOT_USER=admin -e MINIO_ROOT_PASSWORD='@@' minio/minio server /data",
    "docker run -d redis:7.2.4 redis-server --requirepass @@ --save 60 1",
    "docker run -e REDIS_ARGS='--requirepass @@' redis/redis-stack",
    "docker run -d rabbitmq --env RABBITMQ_ERLANG_COOKIE=@@",
    "docker login -u admin -p @@ registry.example",
    "echo @@ | docker login -u admin --password-stdin registry.example",
    "docker exec -i db mysql -u root -p'@@' keybuzz",
    "docker exec db mariadb -uroot -p@@ -e 'SHOW STATUS'",
    "docker exec db mariadb-dump --all-databases -uroot -p@@ > /tmp/x.sql",
    "mysqlcheck -uroot -p@@ --all-databases",
    "mariabackup --backup --user=sst --password=@@ --target-dir=/x",
    "PGPASSWORD=@@ pg_dump -h 10.0.0.10 -U kb_app keybuzz",
    "PGPASSWORD='@@' psql -h 10.0.0.10",
    "env PGPASSWORD=@@ psql -h 10.0.0.10",
    "export REDISCLI_AUTH=@@",
    "REDISCLI_AUTH=@@ redis-cli ping",
    "MYSQL_PWD=@@ mysql -uroot",
    "psql 'host=10.0.0.10 user=kb_app password=@@'",
    "psql \"dbname=keybuzz host=10.0.0.10 user=kb_app password='@@'\"",
    "redis-cli -u redis://default:@@@10.0.0.10:6379",
    "redis-cli --user app --pass @@ ping",
    "redis-cli --askpass AUTH @@",
    "redis-cli auth @@",
    "redis-cli CONFIG SET requirepass @@",
    "redis-cli config set masterauth '@@'",
    "redis-cli -p 26379 sentinel set mymaster auth-pass @@",
    "redis-cli ACL SETUSER app on >@@ ~* +@all",
    "rabbitmqctl change_password guest @@",
    "rabbitmqctl -n rabbit@queue-01 add_user app @@",
    "rabbitmqadmin --username=admin --password=@@ list queues",
    "rabbitmqadmin -u admin -p @@ list queues",
    "curl -sfu admin:@@ http://127.0.0.1:15672/api/overview",
    "curl --user 'admin:@@' http://127.0.0.1:15672/api/overview",
    "curl -uadmin:@@ http://127.0.0.1:15672/api",
    "curl -H 'X-API-Key: @@' http://127.0.0.1:9000",
    'curl -H "X-Vault-Token: @@" http://127.0.0.1:8200/v1/sys/health',
    "curl -H 'PRIVATE-TOKEN: @@' http://127.0.0.1/api/v4",
    "curl -H 'Authorization: token @@' http://127.0.0.1/api",
    "curl -H 'Authorization: @@' http://127.0.0.1/api",
    "curl 'http://127.0.0.1/hook?token=@@'",
    "curl 'http://127.0.0.1/hook?x=1&access_token=@@&y=2'",
    "curl -d 'username=admin&password=@@' http://127.0.0.1/login",
    'curl -d \'{"username":"admin","password":"@@"}\' http://127.0.0.1/login',
    "wget --http-password=@@ http://127.0.0.1/x",
    "wget --password @@ http://127.0.0.1/x",
    "mc alias set minio http://10.0.0.134:9000 admin @@",
    "mc --insecure alias set minio http://10.0.0.134:9000 admin '@@'",
    "mc config host add minio http://10.0.0.134:9000 admin @@",
    "mc admin user add minio app @@",
    "export MC_HOST_minio=http://admin:@@@10.0.0.134:9000",
    "sshpass -p'@@' ssh root@10.0.0.1",
    "sshpass -p @@ ssh root@10.0.0.1",
    "hcloud context create --token @@",
    "htpasswd -bc /etc/nginx/.htpasswd admin @@",
    "openssl enc -aes-256-cbc -pass pass:@@ -in x",
    "openssl pkcs12 -in x -passin pass:@@ -nodes",
    "ansible-playbook x.yml -e 'db_password=@@'",
    "kubectl create secret generic db --from-literal=password=@@",
    "helm install x --set auth.rootPassword=@@,auth.enabled=true",
    "patronictl -c x edit-config -p 'password=@@'",
    "curl -sfL https://get.k3s.io | K3S_TOKEN=@@ sh -",
    'curl -sfL https://get.k3s.io | INSTALL_K3S_EXEC="server --token @@" sh -s -',
    "k3s server --datastore-endpoint=mysql://root:@@@tcp(10.0.0.1:3306)/k3s",
    "vault login @@",
    "smbclient //host/share -U admin%@@",
    "mount -t cifs //h/s /mnt -o username=admin,password=@@,vers=3.0",
    "ldapsearch -x -D cn=admin -w @@",
    "mongosh -u root -p @@ --authenticationDatabase admin",
)
FILES = (
    'admin_credentials="admin:@@"',
    'admin_credentials="admin:@@;radmin:@@"',
    'monitor_password="@@"',
    '{ username = "erpnext", password = "@@", default_hostgroup = 10 }',
    '{ username="erpnext" , password="@@" , active=1 },',
    "wsrep_sst_auth=sst:@@",
    'wsrep_sst_auth = "sst:@@"',
    "wsrep-sst-auth=sst:@@",
    "keybuzz = host=10.0.0.10 port=5432 user=kb_app password=@@",
    '"kb_app" "@@"',
    "requirepass @@",
    "primaryauth @@",
    "sentinel sentinel-pass @@",
    "user app on #0123 >@@ ~*",
    "default_pass = @@",
    "management.load_definitions.password = @@",
    "primary_conninfo = 'host=10.0.0.120 user=kb_repl password=@@'",
    "primary_conninfo = 'user=kb_repl passfile=/tmp/p password=''@@'' host=x'",
    "    superuser:\n      username: kb_admin\n      password: @@",
    "    password: >-\n      @@",
    "10.0.0.10:5432:*:kb_app:@@",
    "*:*:*:kb_repl:@@",
    "machine api.example login deploy password @@",
    "[client]\nuser=root\npassword=@@",
    '[client]\npassword = "@@"',
    "stats auth admin:@@",
    "user admin insecure-password @@",
    "user admin password $5$@@",
    "http-request set-header Authorization Basic\\ @@",
    "option redis-check AUTH @@",
    'tcp-check send "AUTH @@\\r\\n"',
    "tcp-check send-binary AUTH @@",
    "token: K10@@::server:@@",
    'token: "@@"',
    "agent-token: @@",
    "K3S_AGENT_TOKEN='@@'",
    "CREATE USER app IDENTIFIED BY '@@';",
    "CREATE USER app@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('@@');",
    "ALTER USER app WITH PASSWORD '@@';",
    "ALTER ROLE app WITH LOGIN ENCRYPTED PASSWORD '@@'",
    "SET PASSWORD FOR app = PASSWORD('@@');",
    "CHANGE MASTER TO MASTER_HOST='10.0.0.1', MASTER_PASSWORD='@@'",
    "GRANT ALL ON *.* TO 'app'@'%' IDENTIFIED BY \"@@\"",
    "UPDATE global_variables SET variable_value='@@' WHERE variable_name='mysql-monitor_password'",
    "SET mysql-monitor_password='@@'",
    "INSERT INTO mysql_users(username,password,default_hostgroup) VALUES ('erpnext','@@',10)",
    "<password>@@</password>",
    '<property name="password" value="@@"/>',
    "define('DB_PASSWORD', '@@');",
    "$db_password = '@@';",
    "'password' => '@@',",
    'os.environ["DB_PASSWORD"] = "@@"',
    "db.password=@@",
    "spring.redis.password: @@",
    '{"auths": {"registry.example": {"auth": "@@"}}}',
    "*/5 * * * * root redis-cli -a '@@' ping >/dev/null",
    "0 3 * * * root mysqldump -uroot -p'@@' --all-databases | gzip > /b.gz",
    "0 3 * * * root PGPASSWORD='@@' pg_dump -U kb_admin keybuzz",
)
CASES = [*COMPOSE, *UNITS, *COMMANDS, *FILES]
SPLIT = frozenset(COMMANDS)
"""What a process list, or a container's arguments, have word by word."""


def _shown(case: str, secret: str) -> list[str]:
    """Return what is shown of it in a text, in a document, and as arguments where it can be split."""
    text = case.replace("@@", secret)
    said = [VEIL.text(f"first\n{text}\nlast"), json.dumps(VEIL.value({"stdout": f"{text}\n"}))]
    said.append(VEIL.text(json.dumps({"Cmd": text})))
    if case in SPLIT:
        said.append(json.dumps(VEIL.arguments(shlex.split(text))))
    return said


def _leaks(shown: str, secret: str) -> bool:
    """Return whether five characters in a row of a secret are shown."""
    return any(secret[at : at + 5] in shown for at in range(len(secret) - 4))


@pytest.mark.parametrize("case", CASES)
def test_no_spelling_of_the_field_shows_its_secret(case: str) -> None:
    told = [
        (secret, shown)
        for secret in SECRETS
        for shown in _shown(case, secret)
        if _leaks(shown, secret)
    ]
    assert told == []


def test_a_key_as_the_user_of_a_url_is_masked() -> None:
    assert SECRETS[0] not in VEIL.text(f"SENTRY_DSN=https://{SECRETS[0]}@o1.ingest.example/2")
