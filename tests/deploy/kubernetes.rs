//! The manifests: built by kubectl, judged by Kubernetes' own schemas; their file is accepted, and a ConfigMap's change is taken
//! as the kubelet makes it.

use crate::shipped;
use nearside_tests::edge::NAMES;
use nearside_tests::{Authority, Stage, client, tool};
use serde_yaml::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const OVERLAY: &str = "deploy/kubernetes/overlays/frankfurt";

/// What an operator would apply; `None`, said loudly, without kubectl.
fn built() -> Option<String> {
    let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(OVERLAY);
    let output = tool::output(Command::new("kubectl").arg("kustomize").arg(overlay))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize;
    serde_yaml::Deserializer::from_str(text).map(|one| Value::deserialize(one).unwrap()).collect()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn the_schemas_of_kubernetes_know_every_key() {
    let (Some(text), Some(fetched)) = (built(), tool::fetched("kubernetes-validate==1.37.0")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.yaml");
    for version in ["1.30", "1.37"] {
        let validate = |text: &str| {
            fs::write(&path, text).unwrap();
            let mut call = fetched.program("kubernetes-validate");
            call.args(["--strict", "--kubernetes-version", version]).arg(&path).output().unwrap()
        };
        let output = validate(&text);
        assert!(output.status.success(), "{version}: {}", String::from_utf8_lossy(&output.stderr));
        let misspelt = validate(&text.replace("hostNetwork:", "hostNetworks:"));
        assert!(!misspelt.status.success(), "the schemas are strict");
    }
}

/// What belongs together in several places of the manifests is the same in all of them.
#[test]
fn the_manifests_fit_each_other_and_the_file() {
    let Some(text) = built() else { return };
    let documents = documents(&text);
    let pods = &of_kind(&documents, "DaemonSet")["spec"]["template"];
    let labels = &pods["metadata"]["labels"];
    for (kind, selector) in [("Service", "selector"), ("PodDisruptionBudget", "selector")] {
        let selector = &of_kind(&documents, kind)["spec"][selector];
        let selector = selector.get("matchLabels").unwrap_or(selector);
        assert_eq!(selector, labels, "{kind}");
    }
    let budget = &of_kind(&documents, "PodDisruptionBudget")["spec"];
    assert!(budget["minAvailable"].is_u64(), "of a DaemonSet's pods no share can be taken");
    let file = of_kind(&documents, "ConfigMap");
    assert!(documents.iter().any(|one| one["metadata"]["name"] == "routes"), "one name for good: {file:?}");
    let container = &pods["spec"]["containers"][0];
    let admin = shipped("deploy/kubernetes/base/routes.yaml");
    let admin = admin.lines().find_map(|line| line.trim().strip_prefix("admin: ")).unwrap().to_owned();
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let get = &container[probe]["httpGet"];
        let asked = format!("\"{}:{}\"", get["host"].as_str().unwrap(), get["port"].as_u64().unwrap());
        assert_eq!(asked, admin, "{probe}");
    }
    for mount in container["volumeMounts"].as_sequence().unwrap() {
        assert!(mount.get("subPath").is_none(), "a change would never arrive: {mount:?}");
    }
}

/// At the paths of the pod, with a certificate and a key as the Secrets bring them.
#[test]
fn check_accepts_the_shipped_file() {
    let pod = tempfile::tempdir().unwrap();
    let at = |name: &str| pod.path().join(name);
    fs::create_dir_all(at("certs")).unwrap();
    fs::create_dir_all(at("keys")).unwrap();
    let (certificate, key) = Authority::new(pod.path()).sign(NAMES);
    for (name, text) in
        [("certs/tls.crt", certificate), ("certs/tls.key", key), ("keys/fleet.key", "07".repeat(32))]
    {
        fs::write(at(name), text).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o440)).unwrap();
    }
    let text = shipped("deploy/kubernetes/base/routes.yaml");
    let text = text.replace("/etc/nearside/", &format!("{}/", pod.path().display()));
    fs::write(at("routes.yaml"), text).unwrap();
    let output =
        Command::new(nearside_tests::program()).arg("check").arg(at("routes.yaml")).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("0 errors, 0 warnings"), "{said}");
}

/// The kubelet's way: each edition in a folder of its own, `..data` turned around to the new one, the file a link through it.
fn turn(mount: &Path, edition: &str, text: &str) {
    let folder = mount.join(format!("..{edition}"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("routes.yaml"), text).unwrap();
    let old = fs::read_link(mount.join("..data"));
    symlink(format!("..{edition}"), mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    if let Ok(old) = old {
        fs::remove_dir_all(mount.join(old)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_config_map_is_taken_while_requests_come() {
    let Stage { edge, frankfurt, virginia } = &Stage::new().await;
    let (mount, first) = (edge.folder(), edge.generation());
    let text = fs::read_to_string(edge.file()).unwrap();
    turn(mount, "2026_01", &text);
    fs::remove_file(edge.file()).unwrap();
    symlink("..data/routes.yaml", edge.file()).unwrap();
    let load = nearside_tests::load::Load::start(edge, 50);
    load.more(50).await;
    let drained = text.replace("frankfurt: {}", "frankfurt: { drain: \"a change\" }");
    turn(mount, "2026_02", &drained);
    nearside_tests::eventually("the change", async || {
        (edge.status()["drains"].as_array().is_some_and(|drains| !drains.is_empty())).then_some(())
    })
    .await;
    let marked = edge.generation();
    load.more(50).await;
    // A mistake arrives in the same way, and changes nothing.
    turn(mount, "2026_03", &drained.replace("pools:", "poolz:"));
    let refused = async || (edge.status()["last_reload"]["outcome"] == "refused").then_some(());
    nearside_tests::eventually("the refusal", refused).await;
    load.more(20).await;
    let outcomes = load.end().await;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_fine()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(marked > first && edge.generation() == marked);
    assert!(!frankfurt.requests().is_empty() && !virginia.requests().is_empty());
    assert_eq!(client::region(&client::ask(edge, "/", &[]).await), "virginia");
}
