//! Ranges and conditions pass untouched: nginx's answers through nearside are those that it gives by itself.

use nearside_tests::edge::Setting;
use nearside_tests::{QUICK, client, eventually, tool};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

/// A method, some fields, and the status that they get.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);

struct Nginx(Child);

impl Nginx {
    /// Serves `folder`; `None`, said loudly, where nginx is missing.
    fn start(folder: &Path, port: u16) -> Option<Self> {
        let place = folder.display();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log {place}/error.log;\nevents {{}}\nhttp {{\n  \
             access_log off;\n  client_body_temp_path {place}/body;\n  proxy_temp_path {place}/proxy;\n  \
             fastcgi_temp_path {place}/fastcgi;\n  uwsgi_temp_path {place}/uwsgi;\n  scgi_temp_path {place}/scgi;\n  \
             default_type text/plain;\n  server {{ listen 127.0.0.1:{port}; root {place}; }}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("nginx");
        // Servers live in sbin, which is not on everybody's path.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        command.env("PATH", path).arg("-c").arg(file).arg("-p").arg(folder);
        tool::spawn(command.stdout(Stdio::null()).stderr(Stdio::null())).map(Self)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What an answer is, but for what differs from answer to answer and what belongs to a connection.
async fn told(answer: reqwest::Response) -> (u16, Vec<(String, String)>, String) {
    let own = ["date", "connection", "keep-alive", "transfer-encoding", "x-nearside-ref", "x-nearside-gen"];
    let (status, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
    let boundary = kind.as_ref().and_then(|kind| kind.to_str().ok()?.split_once("boundary="));
    let boundary = boundary.map(|(_, boundary)| boundary.to_owned());
    let masked = |text: &str| match &boundary {
        Some(boundary) => text.replace(boundary, "BOUNDARY"),
        None => text.to_owned(),
    };
    let mut fields: Vec<_> = answer
        .headers()
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), masked(value.to_str().unwrap())))
        .collect();
    fields.sort();
    let body = masked(&answer.text().await.unwrap());
    (status, fields, body)
}

#[tokio::test]
async fn ranges_and_conditions_get_the_answers_that_the_backend_gives() {
    let (setting, port) = (Setting::new(), nearside_tests::port());
    let served = setting.folder().join("served");
    std::fs::create_dir(&served).unwrap();
    let text: String =
        (0..20_000_u32).map(|number| char::from(b'a' + u8::try_from(number % 26).unwrap())).collect();
    std::fs::write(served.join("letters"), &text).unwrap();
    std::fs::write(served.join("healthz"), "").unwrap();
    let Some(_nginx) = Nginx::start(&served, port) else { return };
    eventually("nginx", async || TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
    let text = format!(
        "{QUICK}pools:\n  app:\n    backends: [{{ url: \"http://127.0.0.1:{port}\", region: frankfurt }}]\n\
         routes:\n  - {{ host: www.example.com, pool: app }}\n"
    );
    let edge = setting.run(&text).await;
    let direct = reqwest::Client::new();
    let first = direct.get(format!("http://127.0.0.1:{port}/letters")).send().await.unwrap();
    let validator = |name: &str| first.headers()[name].to_str().unwrap().to_owned();
    let (tag, modified) = (validator("etag"), validator("last-modified"));
    let (tag, modified) = (tag.as_str(), modified.as_str());
    let old = "Mon, 01 Jan 2001 00:00:00 GMT";
    let cases: &[Case<'_>] = &[
        ("GET", &[], 200),
        ("HEAD", &[], 200),
        ("GET", &[("range", "bytes=0-99")], 206),
        ("GET", &[("range", "bytes=19990-")], 206),
        ("GET", &[("range", "bytes=-5")], 206),
        ("GET", &[("range", "bytes=0-9,100-109,-10")], 206),
        ("GET", &[("range", "bytes=20000-")], 416),
        ("GET", &[("range", "lines=1-2")], 200),
        ("HEAD", &[("range", "bytes=0-99")], 206),
        ("GET", &[("if-none-match", tag)], 304),
        ("GET", &[("if-none-match", "\"other\", W/\"another\"")], 200),
        ("GET", &[("if-match", tag)], 200),
        ("GET", &[("if-match", "\"other\"")], 412),
        ("GET", &[("if-modified-since", modified)], 304),
        ("GET", &[("if-modified-since", old)], 200),
        ("GET", &[("if-unmodified-since", old)], 412),
        ("GET", &[("range", "bytes=0-99"), ("if-range", tag)], 206),
        ("GET", &[("range", "bytes=0-99"), ("if-range", "\"other\"")], 200),
        ("GET", &[("range", "bytes=0-99"), ("if-none-match", tag)], 304),
        ("HEAD", &[("if-none-match", tag)], 304),
    ];
    for h2 in [false, true] {
        let through = client::reqwest(&edge, h2);
        for (method, fields, status) in cases {
            let ask = |client: &reqwest::Client, url: String| {
                let request = client.request(method.parse().unwrap(), url);
                fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send()
            };
            let expected =
                told(ask(&direct, format!("http://127.0.0.1:{port}/letters")).await.unwrap()).await;
            let found = told(ask(&through, client::url(&edge, "/letters")).await.unwrap()).await;
            assert_eq!(expected.0, *status, "nginx by itself, {method} {fields:?}");
            assert_eq!(found, expected, "h2={h2} {method} {fields:?}");
        }
    }
}
