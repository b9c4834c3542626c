//! nginx as it is best: kept connections both ways, no buffering to disk, no log.

use super::{Ports, Shape};
use crate::compare::setup::{MANY, ORIGIN, Setup, host};
use anyhow::Result;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

pub(super) fn configure(setup: &Setup, ports: Ports, shape: Shape) -> Result<()> {
    let folder = setup.folder().display();
    let Ports { plain, tls } = ports;
    let marker = shape.marker;
    let pass = "proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
                proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;\n\
                proxy_set_header Host $host; proxy_request_buffering off; proxy_max_temp_file_size 0;";
    let mut text = format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 9000; }}\n\
         http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 300s; client_max_body_size 20m;\n\
         server_names_hash_max_size {}; server_names_hash_bucket_size 128;\n\
         ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519; ssl_session_tickets on;\n\
         upstream origin {{ server 127.0.0.1:{ORIGIN}; keepalive 256; keepalive_requests 100000000; }}\n\
         server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl http2; server_name localhost;\n\
         ssl_certificate {folder}/localhost.pem; ssl_certificate_key {folder}/localhost.key;\n\
         location = /marker {{ return 200 \"marker {marker}.\"; }} location / {{ {pass} }} }}\n",
        MANY * 4
    );
    for index in 0..shape.hosts {
        writeln!(
            text,
            "server {{ listen 127.0.0.1:{plain}; server_name {}; location / {{ {pass} }} }}",
            host(index)
        )?;
    }
    text.push_str("}\n");
    setup.write("nginx.conf", &text)
}

pub(super) fn command(program: &Path, setup: &Setup) -> Command {
    let mut command = Command::new(program);
    command.arg("-p").arg(setup.folder()).arg("-c").arg(setup.path("nginx.conf"));
    command
}
