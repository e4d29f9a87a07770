"""What a RabbitMQ node must be (module 5: RMQ-1). Pure."""

from __future__ import annotations

from keybuzz.model.core.content import Content, Template
from keybuzz.model.core.reading import DirectoryListing
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import Directory, File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.rabbitmq import applications, values
from tasks.rabbitmq.formats import FORMATS
from tasks.rabbitmq.leftovers import LEFTOVERS
from tasks.rabbitmq.service.resources import (
    RabbitmqData,
    RabbitmqLook,
    RabbitmqMembership,
    RabbitmqNoUser,
    RabbitmqReplicas,
    RabbitmqUser,
)


def describe(site: Site, server: Server) -> Description:
    """Return the description of one node; users belong to the cluster and are written once."""
    access = values.access(site, server)
    return Description(
        (
            RabbitmqData(values.DATA, FORMATS.newer_than(values.data_of(site))),
            *_directories(),
            Image(site.image("rabbitmq")),
            *_files(site, server),
            _container(site, server),
            RabbitmqMembership(access, values.node_names(site)),
            RabbitmqReplicas(access),
            *LEFTOVERS,
        ),
        (
            RabbitmqLook("rabbitmq.node", access),
            DirectoryListing("rabbitmq.data", values.DATA),
            DirectoryListing("rabbitmq.units", "/etc/systemd/system"),
        ),
        (RabbitmqUser(access), RabbitmqNoUser(access), *applications.resources(site, access)),
    )


def _names(site: Site) -> tuple[tuple[str, str], ...]:
    """Short names of all nodes: Erlang reaches the others by them and by nothing else.

    They are the container's own. /etc/hosts of the host is written again at each boot where cloud-init manages it, and
    Docker copies it into a container when that starts: one that was right yesterday would not find its peers.
    """
    return tuple((server.name, str(server.address)) for server in site.members(values.GROUP))


def _directories() -> tuple[Resource, ...]:
    return (
        Directory(values.ROOT),
        Directory(values.CONFIGURATION),
        Directory(values.DATA, values.UID, values.UID, 0o700),
        Directory(values.LOG, values.UID, values.UID, 0o700),
    )


def _files(site: Site, server: Server) -> tuple[Resource, ...]:
    folder = values.CONFIGURATION
    configuration = values.rabbitmq_values(site, server)
    plugins = Template(values.TEMPLATES, "enabled_plugins.j2", values.PluginValues())
    return (
        # Before the first start, or RabbitMQ makes up one of its own and refuses the others.
        File(values.COOKIE, Content((values.cookie(site),)), values.UID, values.UID, 0o400),
        File(
            f"{folder}/rabbitmq.conf",
            Template(values.TEMPLATES, "rabbitmq.conf.j2", configuration),
        ),
        File(f"{folder}/enabled_plugins", plugins),
    )


def _container(site: Site, server: Server) -> Container:
    mark = values.mark(values.rabbitmq_values(site, server))
    return Container(
        values.CONTAINER,
        site.image("rabbitmq"),
        command=("rabbitmq-server",),
        environment=(
            ("RABBITMQ_NODENAME", values.node_name(server)),
            # Read at the start only: another configuration is another container.
            ("KBZ_CONFIGURATION", mark),
        ),
        binds=(
            # The whole directory: the image's own defaults open `guest` to the network.
            Bind(values.CONFIGURATION, "/etc/rabbitmq", read_only=True),
            Bind(values.DATA, "/var/lib/rabbitmq"),
            Bind(values.LOG, "/var/log/rabbitmq"),
        ),
        hostname=server.name,
        user="rabbitmq",
        stop_timeout=values.STOP_SECONDS,
        open_files=values.open_files(site),
        extra_hosts=_names(site),
    )
