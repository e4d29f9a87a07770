"""What an entry host of RabbitMQ must be (module 5, second step). Pure."""

from __future__ import annotations

from keybuzz.model.core.content import Template
from keybuzz.model.core.reading import SocketQuestion, TcpPorts
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import ContainerSignal, Directory, File, ImageValidator
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.rabbitmq.service.readings import AmqpLogin
from tasks.rabbitmq_proxy import values
from tasks.rabbitmq_proxy.leftovers import LEFTOVERS

_INSIDE = "/usr/local/etc/haproxy"


def describe(site: Site, server: Server) -> Description:
    """Return the description of one host; the file is the same on all of them."""
    reference, mounted = site.image("haproxy"), f"{_INSIDE}/haproxy.cfg"
    return Description(
        (
            Directory(values.ROOT),
            Directory(values.CONFIGURATION),
            Directory(values.RUN, values.UID, values.UID, 0o750),
            Image(reference),
            File(
                f"{values.CONFIGURATION}/haproxy.cfg",
                Template(values.TEMPLATES, "haproxy.cfg.j2", values.haproxy_values(site)),
                validator=ImageValidator(reference, ("haproxy", "-c", "-f", mounted), mounted),
                # To the master process: a new worker takes over the sockets, the old one keeps its connections.
                reload=ContainerSignal(values.CONTAINER, "USR2"),
            ),
            Container(
                values.CONTAINER,
                reference,
                command=("haproxy", "-f", mounted),
                binds=(
                    # The directory, not the file: a file that is replaced would stay old inside.
                    Bind(values.CONFIGURATION, _INSIDE, read_only=True),
                    Bind(values.RUN, values.RUN),
                ),
                hostname=server.name,
                user=f"{values.UID}:{values.UID}",
                stop_timeout=15,
            ),
            *LEFTOVERS,
        ),
        (
            SocketQuestion("rabbitmq-proxy.info", values.SOCKET, "show info"),
            SocketQuestion("rabbitmq-proxy.stat", values.SOCKET, "show stat"),
            TcpPorts("rabbitmq-proxy.ports", (values.PORT,)),
            _login(site, "rabbitmq-proxy.login", "127.0.0.1"),
            *(
                _login(site, f"rabbitmq-proxy.balancer.{entry.address}", str(entry.address))
                for entry in site.catalogue.virtual_addresses
                if values.GROUP in entry.targets and values.PORT in entry.ports
            ),
        ),
    )


def login_at(site: Site, address: str) -> AmqpLogin:
    """Return the login that `kbz lb check` makes at an address."""
    return _login(site, f"login at {address}", address)


def _login(site: Site, name: str, address: str) -> AmqpLogin:
    user, password = site.secret("RABBITMQ_USER").reveal(), site.secret("RABBITMQ_PASSWORD")
    return AmqpLogin(name, address, user, password, values.PORT)
