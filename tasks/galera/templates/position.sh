# Managed by kbz (module galera): run in a container that is thrown away, over the data of a stopped node.
#
# First the server recovers and says its position. Then it is started for one question, without replication and
# without a network: which nodes were in the last Primary component that it knows. That a node does not tell it (an
# older server) is no error.
set -u
export PATH="$PATH:/opt/bitnami/mariadb/bin"
server=(/opt/bitnami/mariadb/sbin/mysqld "--defaults-file=$1" "--datadir=$2" --socket=/tmp/kbz.sock --pid-file=/tmp/kbz.pid)
"${server[@]}" --log-bin=mysql-bin --wsrep-recover 2>&1 || exit

"${server[@]}" --wsrep-on=OFF --wsrep-provider=none --skip-log-bin --skip-networking --skip-grant-tables \
    --event-scheduler=DISABLED --read-only=ON >/tmp/kbz.log 2>&1 &
running=$!
ask() { mysql --socket=/tmp/kbz.sock --skip-column-names --batch --execute "$1" 2>/dev/null; }
while kill -0 "$running" 2>/dev/null && ! ask "SELECT 1" >/dev/null; do sleep 0.1; done
view=$(ask "SELECT CONCAT(c.view_seqno, ' ', GROUP_CONCAT(m.node_name ORDER BY m.node_name))
    FROM mysql.wsrep_cluster c JOIN mysql.wsrep_cluster_members m USING (cluster_uuid) GROUP BY c.cluster_uuid LIMIT 1")
kill "$running" 2>/dev/null
wait "$running"
[ -z "$view" ] || echo "kbz-view $view"
exit 0
