//! HAProxy with one thread; many hosts stand in a map, which it looks up by a tree.

use super::{Ports, Shape};
use crate::compare::setup::{ORIGIN, Setup, host};
use anyhow::Result;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

pub(super) fn configure(setup: &Setup, ports: Ports, shape: Shape) -> Result<()> {
    let folder = setup.folder().display();
    let Ports { plain, tls } = ports;
    let mut map = String::from("localhost origin\n");
    for index in 0..shape.hosts {
        writeln!(map, "{} origin", host(index))?;
    }
    setup.write("haproxy.map", &map)?;
    let marker = shape.marker;
    let text = format!(
        "global\n nbthread 1\n maxconn 9000\n ssl-default-bind-curves X25519\n\
         defaults\n mode http\n timeout connect 5s\n timeout client 300s\n timeout server 300s\n\
         \x20timeout http-keep-alive 300s\n http-reuse always\n\
         frontend door\n bind 127.0.0.1:{plain}\n\
         \x20bind 127.0.0.1:{tls} ssl crt {folder}/both.pem alpn h2,http/1.1\n\
         \x20http-request return status 200 content-type text/plain string \"marker {marker}.\" if {{ path /marker }}\n\
         \x20http-request set-header X-Forwarded-For %[src]\n\
         \x20use_backend %[req.hdr(host),field(1,:),lower,map({folder}/haproxy.map)]\n\
         backend origin\n server one 127.0.0.1:{ORIGIN} pool-max-conn 1000\n"
    );
    setup.write("haproxy.cfg", &text)
}

pub(super) fn command(program: &Path, setup: &Setup) -> Command {
    let mut command = Command::new(program);
    command.arg("-W").arg("-q").arg("-f").arg(setup.path("haproxy.cfg"));
    command
}
