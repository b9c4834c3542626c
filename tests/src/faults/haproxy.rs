//! HAProxy in a scene: probes, observed traffic, retries on layer 7; changes by its seamless reload (SIGUSR2 to the master).

use super::peer::{Place, Running};
use super::proxy::{Proxy, Surroundings, replace};
use super::setup::Setup;
use crate::client::Door;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

pub(super) fn start(program: &Path, setup: &Setup, surroundings: &Surroundings) -> Haproxy {
    let place = Place::new();
    replace(&place.file("haproxy.cfg"), &file(&place, setup));
    let running = place.spawn(&surroundings.words(program), &["-W", "-db", "-f", "haproxy.cfg"]);
    Haproxy { place, running, setup: setup.clone() }
}

pub(super) struct Haproxy {
    place: Place,
    running: Running,
    setup: Setup,
}

fn file(place: &Place, setup: &Setup) -> String {
    let mut servers = String::new();
    let mut resolvers = String::new();
    let mut resolved = "";
    if let Some(address) = setup.name_server {
        resolvers = format!(
            "resolvers names\n  nameserver one {address}:53\n  hold valid 1s\n  timeout retry 500ms\n"
        );
        resolved = "resolvers names resolve-prefer ipv4 init-addr libc";
    }
    for spec in &setup.backends {
        let backup = if spec.tier > 1 { "backup" } else { "" };
        let drained = if setup.is_drained(spec) { "disabled" } else { "" };
        let (name, host, port) = (&spec.name, &spec.host, spec.port);
        writeln!(servers, "  server {name} {host}:{port} {backup} {drained} {resolved}").expect("text grows");
    }
    let (https, number, echo) = (place.https, setup.number, setup.echo);
    format!(
        "global
  stats socket unix@admin.sock mode 600 level admin expose-fd listeners
  fd-hard-limit 20000
  nbthread 2
  hard-stop-after 60s
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 1s
  timeout http-keep-alive 60s
  timeout check 450ms
  timeout tunnel 60s
{resolvers}frontend door
  bind {https} ssl crt www.pem alpn h2,http/1.1
  http-response set-header x-config {number}
  use_backend echo if {{ path /echo }}
  default_backend web
backend echo
  server echo {echo}
backend web
  balance roundrobin
  retries 3
  option redispatch 1
  option allbackups
  retry-on conn-failure empty-response response-timeout 500 502 503 504
  http-request disable-l7-retry if METH_POST
  option httpchk
  http-check send meth GET uri /healthz
  default-server check inter 500ms fastinter 200ms downinter 500ms fall 2 rise 2 observe layer7 error-limit 5 on-error mark-down on-marked-down shutdown-sessions
{servers}"
    )
}

impl Haproxy {
    fn write(&self, setup: &Setup) {
        replace(&self.place.file("haproxy.cfg"), &file(&self.place, setup));
    }

    /// Has the file read. The master loses a signal that comes while it still reads the one before.
    fn reload(&self) {
        let before = self.told("Reloading HAProxy");
        for attempt in 0..1000 {
            if self.told("Reloading HAProxy") > before {
                return;
            }
            if attempt % 50 == 0 {
                self.running.signal("USR2");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not reload: {}", self.place.log());
    }

    /// How often it has said this.
    fn told(&self, what: &str) -> usize {
        self.place.whole_log().matches(what).count()
    }
}

impl Proxy for Haproxy {
    fn door(&self) -> Door {
        self.place.door()
    }

    fn apply(&mut self, setup: &Setup) {
        self.setup = setup.clone();
        self.write(setup);
        self.reload();
    }

    fn spoil(&mut self) {
        let text = file(&self.place, &self.setup).replace("backend web", "bakcend web");
        replace(&self.place.file("haproxy.cfg"), &text);
        self.reload();
    }

    fn renew(&mut self) -> Vec<u8> {
        let new = self.place.renew();
        self.reload();
        new
    }

    /// A reload is one: the master begins anew with the program on disk.
    fn upgrade(&mut self) {
        let before = self.told("Loading success");
        self.reload();
        while self.told("Loading success") == before {
            std::thread::sleep(Duration::from_millis(5));
        }
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
