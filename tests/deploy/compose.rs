//! The Compose file: judged by a strict reader of its language, and played without containers: every command of it runs as a
//! process, each at an address of its own, and what its first lines promise happens.

use crate::shipped;
use nearside_tests::{client, eventually, tool};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FILE: &str = "deploy/compose/compose.yaml";
const ROUTES: &str = "deploy/compose/nearside/routes.yaml";

/// The file with what its services share filled in.
fn compose() -> Value {
    let mut file: serde_yaml::Value = serde_yaml::from_str(&shipped(FILE)).unwrap();
    file.apply_merge().unwrap();
    serde_json::to_value(file).unwrap()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_strict_reader_knows_every_key() {
    const READ: &str = "import sys, compose_spec; compose_spec.PyCompose.from_json(sys.stdin.read())";
    let Some(fetched) = tool::fetched("compose-spec==0.2.1") else { return };
    let read = |file: &Value| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("compose.json");
        fs::write(&path, file.to_string()).unwrap();
        let mut python = fetched.python();
        python.args(["-c", READ]).stdin(fs::File::open(path).unwrap()).output().unwrap()
    };
    let file = compose();
    let output = read(&file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut misspelt = file.clone();
    misspelt["services"]["fra1"]["comand"] = Value::Null;
    assert!(!read(&misspelt).status.success(), "the reader is strict");
    for (name, service) in file["services"].as_object().unwrap() {
        for needed in service["depends_on"].as_array().into_iter().flatten() {
            assert!(file["services"].get(needed.as_str().unwrap()).is_some(), "{name} needs {needed}");
        }
        assert!(service["command"][0] == "run" || service["command"][0] == "sample", "{name}");
    }
}

/// The services as processes.
struct Village {
    folder: tempfile::TempDir,
    addresses: BTreeMap<String, IpAddr>,
    processes: BTreeMap<String, Child>,
}

impl Drop for Village {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

impl Village {
    async fn new() -> Self {
        let file = compose();
        let services = file["services"].as_object().unwrap();
        // Addresses of its own, so that nobody else on this machine has its ports.
        let street = u8::try_from(std::process::id() % 200).unwrap();
        let address = |house: u8| IpAddr::from(Ipv4Addr::new(127, 91, street, house));
        let addresses = services.keys().cloned().zip((1..).map(address)).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut village = Self { folder, addresses, processes: BTreeMap::new() };
        let is_pop = |service: &Value| service["command"][0] == "run";
        for pops in [false, true] {
            for (name, service) in services.iter().filter(|(_, service)| is_pop(service) == pops) {
                village.start(name, service);
            }
        }
        for (name, _) in services.iter().filter(|(_, service)| is_pop(service)) {
            village.is_healthy(name).await;
        }
        village
    }

    fn home(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As the container would be: its command, its mounted folder, its state folder.
    fn start(&mut self, name: &str, service: &Value) {
        let home = self.home(name);
        fs::create_dir_all(home.join("nearside")).unwrap();
        fs::write(home.join("nearside/routes.yaml"), self.seen_by(name, &shipped(ROUTES))).unwrap();
        for volume in service["volumes"].as_array().into_iter().flatten() {
            assert_eq!(volume, "./nearside:/etc/nearside:ro", "{name}");
        }
        let mounted = home.join("nearside");
        let mounted = mounted.to_str().unwrap();
        let command = words(&service["command"]);
        let command = command.iter().map(|word| self.at_home(name, word).replace("/etc/nearside", mounted));
        let mut process = Command::new(nearside_tests::program());
        process.args(command).env("NEARSIDE_STATE_DIR", home.join("state")).stdin(Stdio::null());
        process.stdout(Stdio::null()).stderr(fs::File::create(home.join("log")).unwrap());
        self.processes.insert(name.to_owned(), process.spawn().unwrap());
    }

    /// All of a container's addresses are this one.
    fn at_home(&self, name: &str, text: &str) -> String {
        text.replace("0.0.0.0:", &format!("{}:", self.addresses[name]))
    }

    /// The shared file, in which each service's name is its address.
    fn seen_by(&self, name: &str, text: &str) -> String {
        let mut text = self.at_home(name, text);
        for (other, address) in &self.addresses {
            text = text.replace(&format!("http://{other}:"), &format!("http://{address}:"));
        }
        text
    }

    /// By the command of the image's health check.
    async fn is_healthy(&self, name: &str) {
        let image = shipped("deploy/container/Dockerfile");
        let check = image.lines().find(|line| line.starts_with("HEALTHCHECK ")).unwrap();
        let check: Vec<String> = serde_yaml::from_str(check.split(" CMD ").nth(1).unwrap()).unwrap();
        assert_eq!(check[0], "/usr/bin/nearside");
        eventually(&format!("a healthy {name}"), async || {
            let mut call = Command::new(nearside_tests::program());
            let call = call.args(&check[1..]).env("NEARSIDE_STATE_DIR", self.home(name).join("state"));
            let output = call.output().unwrap();
            let status: Value = serde_json::from_slice(&output.stdout).ok()?;
            let backends = status["backends"].as_array()?;
            let all_asked = backends.iter().all(|backend| backend["verdict"] == "healthy");
            (output.status.success() && all_asked).then_some(())
        })
        .await;
    }

    /// Which regions answer so many requests at a PoP; every request is answered.
    async fn regions(&self, pop: &str, count: usize) -> Vec<String> {
        let https = SocketAddr::new(self.addresses[pop], 8443);
        let authority = fs::read_to_string(self.home(pop).join("state/ca.pem")).unwrap();
        let door = client::Door { https, authority };
        let client = door.client(true).build().unwrap();
        let mut regions = Vec::new();
        for _ in 0..count {
            regions.push(client::region(&client.get(door.url("/")).send().await.unwrap()));
        }
        regions.sort();
        regions.dedup();
        regions
    }

    /// What a PoP thinks of a backend.
    fn verdict(&self, pop: &str, key: &str) -> Option<Value> {
        let mut call = Command::new(nearside_tests::program());
        call.args(["status", "--json"]).env("NEARSIDE_STATE_DIR", self.home(pop).join("state"));
        let status: Value = serde_json::from_slice(&call.output().unwrap().stdout).ok()?;
        let mut backends = status["backends"].as_array()?.iter();
        Some(backends.find(|backend| backend["key"] == key)?["verdict"].clone())
    }

    fn kill(&mut self, name: &str) {
        let process = self.processes.get_mut(name).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// The host's folder, which both PoPs have mounted.
    fn rewrite(&self, pops: &[&str], change: impl Fn(String) -> String) {
        for pop in pops {
            let path = self.home(pop).join("nearside/routes.yaml");
            let text = change(fs::read_to_string(&path).unwrap());
            replace(&path, &text);
        }
    }
}

fn replace(path: &Path, text: &str) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text).unwrap();
    fs::rename(fresh, path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pops_serve_three_regions_and_lose_one() {
    const POPS: [&str; 2] = ["fra1", "iad1"];
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let mut village = Village::new().await;
    for pop in POPS {
        assert_eq!(village.regions(pop, 60).await, ["dublin", "frankfurt", "virginia"], "{pop}");
    }
    village.kill("frankfurt");
    for pop in POPS {
        assert_eq!(village.regions(pop, 40).await, ["dublin", "virginia"], "{pop}");
        let is_down = async || village.verdict(pop, "web/fra-a").filter(|verdict| verdict == "unhealthy");
        eventually(&format!("the verdict of {pop}"), is_down).await;
    }
    let drained = |text: String| text.replace("  dublin: { ", "  dublin: { drain: \"a try\", ");
    village.rewrite(&POPS, drained);
    for pop in POPS {
        eventually(&format!("the mark at {pop}"), async || {
            (village.regions(pop, 20).await == ["virginia"]).then_some(())
        })
        .await;
    }
}
