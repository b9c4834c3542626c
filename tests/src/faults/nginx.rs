//! nginx in a scene: no probes; a failure or an error removes a server for a while; changes by reload (SIGHUP).

use super::peer::{Place, Running};
use super::proxy::{Proxy, Surroundings, replace};
use super::setup::Setup;
use crate::client::Door;
use std::fmt::Write;
use std::path::Path;

pub(super) fn start(program: &Path, setup: &Setup, surroundings: &Surroundings) -> Nginx {
    let place = Place::new();
    replace(&place.file("nginx.conf"), &file(&place, setup));
    let prefix = place.path().to_str().expect("UTF-8").to_owned();
    let arguments = ["-p", &prefix, "-c", "nginx.conf", "-e", "stderr"];
    let running = place.spawn(&surroundings.words(program), &arguments);
    Nginx { place, running, setup: setup.clone() }
}

pub(super) struct Nginx {
    place: Place,
    running: Running,
    setup: Setup,
}

/// Retries for whatever can be retried, of idempotent methods; a read timeout of 1 s is what it takes to leave a
/// backend that hangs.
fn file(place: &Place, setup: &Setup) -> String {
    let mut servers = String::new();
    // Where all that is preferred is marked, the rest is no backup any more.
    for spec in &setup.backends {
        let mark = match (setup.is_drained(spec), spec.tier) {
            (true, _) => "down",
            (false, 1) => "max_fails=1 fail_timeout=10s",
            (false, _) => "max_fails=1 fail_timeout=10s backup",
        };
        writeln!(servers, "server {}:{} {mark};", spec.host, spec.port).expect("text grows");
    }
    let (https, number, echo) = (place.https, setup.number, setup.echo);
    let user = if crate::tool::is_root() { "user root;" } else { "" };
    format!(
        "daemon off; {user} worker_processes 2; pid nginx.pid; error_log stderr error;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_timeout 75s; keepalive_requests 1000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream web {{ zone web 256k; {servers} keepalive 64; }}
  server {{
    listen {https} ssl http2; ssl_certificate www.pem; ssl_certificate_key www.pem;
    proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;
    proxy_connect_timeout 1s; proxy_read_timeout 1s; proxy_send_timeout 5s;
    proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 http_504; proxy_next_upstream_tries 4;
    add_header x-config {number} always;
    location / {{ proxy_pass http://web; }}
    location /drip {{ proxy_pass http://web; proxy_buffering off; }}
    location /echo {{
      proxy_pass http://{echo}; proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Host $host;
    }}
  }}
}}
"
    )
}

impl Proxy for Nginx {
    fn door(&self) -> Door {
        self.place.door()
    }

    fn apply(&mut self, setup: &Setup) {
        self.setup = setup.clone();
        replace(&self.place.file("nginx.conf"), &file(&self.place, setup));
        self.running.signal("HUP");
    }

    fn spoil(&mut self) {
        let text = file(&self.place, &self.setup).replace("upstream", "upstraem");
        replace(&self.place.file("nginx.conf"), &text);
        self.running.signal("HUP");
    }

    fn renew(&mut self) -> Vec<u8> {
        let new = self.place.renew();
        self.running.signal("HUP");
        new
    }

    fn upgrade(&mut self) {
        unreachable!("hindrance() says why not");
    }

    fn terminate(&mut self) {
        self.running.signal("TERM");
    }

    fn has_ended(&mut self) -> bool {
        self.running.has_ended()
    }

    fn log(&self) -> String {
        self.place.log()
    }
}
