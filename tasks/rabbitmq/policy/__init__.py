"""What the policy knows of RabbitMQ (keybuzz.policy.modules): programs that connect to it."""

from keybuzz.policy.readers.code.clients import Client

CLIENTS = {
    "rabbitmqadmin": Client(
        {
            "-H": "host",
            "--host": "host",
            "-P": "port",
            "--port": "port",
            "-p": "password",
            "--password": "password",
        }
    ),
    "rabbitmqctl": Client(
        verbs={"add_user": 2, "change_password": 2, "authenticate_user": 2},
    ),
}
