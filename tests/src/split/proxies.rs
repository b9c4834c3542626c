//! What stands on the PoP: nearside, and nginx beside it. Each has one worker, so that every request finds what the ones
//! before it have left.

use super::PORT;
use crate::Edge;
use crate::client::HOST;
use crate::edge::Setting;
use crate::wan::Lab;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where nginx listens.
pub(super) const NGINX: u16 = 8443;
/// How long connections of the pool that is to be cold are kept.
const KEPT: Duration = Duration::from_secs(1);
/// After which they are closed for sure: idle ones are looked at once a second.
pub(super) const CLOSED: Duration = Duration::from_millis(2_300);

/// The files of nearside to be, and where it will listen.
pub(super) fn setting(lab: &Lab) -> (Setting, SocketAddr) {
    let mut setting = Setting::new();
    setting.threads("1");
    let door = setting.listen(SocketAddr::from((lab.address("pop"), PORT)));
    (setting, door)
}

/// Starts nearside on the PoP. `first` is the backend that stands before the one on BBR.
pub(super) async fn nearside(setting: Setting, lab: &Lab, program: &Path, first: SocketAddr) -> Edge {
    let url = |host: &str| format!("https://{}:{PORT}", lab.address(host));
    let pool = |name: &str, more: &str, backends: &str| {
        format!("  {name}:\n    tls: {{ ca: ca.pem }}\n{more}    backends:\n{backends}")
    };
    let backend = |url: &str, region: &str, priority: u8| {
        format!("      - {{ url: \"{url}\", region: {region}, priority: {priority} }}\n")
    };
    let (cubic, bbr) = (backend(&url("cubic"), "cubic", 1), backend(&url("bbr"), "bbr", 1));
    let tiers = [backend(&format!("https://{first}"), "first", 1), backend(&url("bbr"), "bbr", 2)].concat();
    let cold = format!("    connections: {{ keepalive: {}s, prewarm: 0 }}\n", KEPT.as_secs());
    let bare = "    connections: { prewarm: 0 }\n";
    let route = |name: &str| {
        format!("  - {{ host: {HOST}, path: \"/{name}/*\", strip_prefix: \"/{name}\", pool: {name} }}\n")
    };
    let text = format!(
        "version: 1\nfleet: {{ name: nearside-test }}\nregions: {{ cubic: {{}}, bbr: {{}}, first: {{}} }}\n\
         defaults:\n  probe: {{ path: /healthz, timeout: 1900ms, rise: 1 }}\n  failback: {{ hold: 0s, ramp: 0s }}\n  \
         connections: {{ protocol: h1 }}\npools:\n{}{}{}{}{}routes:\n  - {{ host: {HOST}, pool: web }}\n{}{}{}{}",
        pool("web", "", &cubic),
        pool("cold", &cold, &cubic),
        pool("bbr", "", &bbr),
        pool("tiers", "", &tiers),
        pool("bare", bare, &tiers),
        route("cold"),
        route("bbr"),
        route("tiers"),
        route("bare"),
    );
    let mut words = lab.on("pop");
    words.push(program.into());
    setting.run_by(&words, &text).await
}

/// nginx at its best: kept connections to backends, records that a first flight has room for, nothing on disk.
pub(super) struct Nginx(Child);

impl Nginx {
    pub(super) fn start(lab: &Lab, program: &Path, folder: &Path) -> Self {
        let place = folder.display();
        let upstream = |name: &str| {
            let address = lab.address(name);
            format!("upstream {name} {{ server {address}:{PORT}; keepalive 8; keepalive_timeout 600s; }}\n")
        };
        let text = format!(
            "daemon off; user root; worker_processes 1; pid {place}/nginx.pid; error_log stderr error;\n\
             events {{ worker_connections 512; }}\nhttp {{\n\
             access_log off; client_max_body_size 0; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;\n\
             fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;\n\
             keepalive_timeout 600s; ssl_protocols TLSv1.3; ssl_buffer_size 4k;\n\
             ssl_certificate {place}/certs/www.pem; ssl_certificate_key {place}/certs/www.pem;\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
             proxy_ssl_protocols TLSv1.3; proxy_buffers 64 16k; proxy_max_temp_file_size 0; proxy_request_buffering off;\n\
             {}{}server {{ listen {}:{NGINX} ssl; location / {{ proxy_pass https://cubic; }} \
             location /bbr/ {{ proxy_pass https://bbr/; }} }} }}\n",
            upstream("cubic"),
            upstream("bbr"),
            lab.address("pop"),
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, text).expect("own folder");
        let mut words = lab.on("pop");
        words.push(program.into());
        let (first, rest) = words.split_first().expect("a program");
        let mut command = Command::new(first);
        command.args(rest).arg("-p").arg(folder).arg("-c").arg(&file).args(["-e", "stderr"]);
        Self(command.stdin(Stdio::null()).spawn().expect("nginx starts"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed, it would leave its worker behind.
        drop(Command::new("kill").arg(self.0.id().to_string()).status());
        drop(self.0.wait());
    }
}
