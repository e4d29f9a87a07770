FROM postgres:16.4-alpine

ENV DEBIAN_FRONTEND=noninteractive

RUN apt-get update && \
    apt-get install -y --no-install-recommends \
        python3-pip \
        python3-dev \
        python3-psycopg2 \
        python3-setuptools \
        python3-wheel \
        gcc \
        postgresql-server-dev-16 \
        git \
        ca-certificates && \
    pip3 install --break-system-packages --no-cache-dir \
        patroni[raft]==3.3.0 \
        python-etcd && \
    apt-get remove -y gcc git && \
    apt-get autoremove -y && \
    apt-get clean && \
    rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*

# pgvector
RUN apt-get update && \
    apt-get install -y --no-install-recommends \
        postgresql-16-pgvector && \
    apt-get clean && \
    rm -rf /var/lib/apt/lists/*

RUN mkdir -p /var/run/postgresql && \
    chown -R postgres:postgres /var/run/postgresql

USER postgres

CMD ["patroni", "/etc/patroni/patroni.yml"]
