"""The part of the agent that knows RabbitMQ (keybuzz.agent.parts)."""

KINDS = {
    "rabbitmq-account": "accounts",
    "rabbitmq-data": "rabbitmq",
    "rabbitmq-forgotten": "rabbitmq",
    "rabbitmq-membership": "rabbitmq",
    "rabbitmq-no-user": "rabbitmq",
    "rabbitmq-replicas": "rabbitmq",
    "rabbitmq-user": "rabbitmq",
    "rabbitmq-vhost": "accounts",
}
NETWORK = {
    "amqp-login": "amqp",
}
HOST = {
    "rabbitmq": "look",
    "rabbitmq-flags": "flags",
    "rabbitmq-names": "inside",
}
MARKS = {"rabbitmq": "marks"}
COMMANDS = {"rabbitmqctl": "questions"}
SECRET_FILES = {".erlang.cookie": "the cookie of the cluster"}
