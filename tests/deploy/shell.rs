//! What a shell completes, and the manual pages.

use nearside_tests::tool;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const FILE: &str = "version: 1
regions: { frankfurt: {}, fribourg: {}, virginia: {} }
pools:
  web: { backends: [{ id: fra-a, url: \"http://127.0.0.1:9\", region: frankfurt }] }
routes:
  - { host: www.example.com, pool: web }
tls: { self_signed: true }
";

/// The program's folder stands first on the path, as after an installation.
fn path() -> std::ffi::OsString {
    let program = nearside_tests::program();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(program.parent().unwrap().to_owned()).chain(std::env::split_paths(&others));
    std::env::join_paths(folders).unwrap()
}

/// What bash offers behind `line`, in a folder with a file: the function that the script has registered is called as bash
/// calls it.
fn offered(folder: &Path, line: &str) -> Option<Vec<String>> {
    const CALL: &str = r#"
        source <(nearside completions bash) || exit 1
        registered=$(complete -p nearside) || exit 1
        [[ $registered =~ -F\ ([^ ]+) ]] || exit 1
        line=$1; COMP_LINE=$line; COMP_POINT=${#line}; COMP_TYPE=9
        read -r -a COMP_WORDS <<< "$line"
        [[ $line == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        "${BASH_REMATCH[1]}" nearside "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", CALL, "bash", line]).current_dir(folder).env("PATH", path());
    let Output { status, stdout, stderr } =
        tool::output(bash.env("NEARSIDE_STATE_DIR", folder.join("state")))?;
    // Bash says that it is no interactive shell, of whose options `compopt` speaks.
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    let words = String::from_utf8(stdout).unwrap();
    Some(words.split_whitespace().map(str::to_owned).collect())
}

#[test]
fn bash_completes_commands_options_and_names_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("routes.yaml"), FILE).unwrap();
    fs::write(folder.path().join("other.yaml"), FILE.replace("virginia", "ohio")).unwrap();
    for (line, expected) in [
        ("nearside dr", &["drain"][..]),
        ("nearside drain fr", &["frankfurt", "fribourg"]),
        ("nearside drain web/", &["web/fra-a"]),
        ("nearside drain frankfurt --rea", &["--reason"]),
        ("nearside undrain v", &["virginia"]),
        ("nearside undrain --file other.yaml o", &["ohio"]),
        ("nearside simulate --lose fri", &["fribourg"]),
        ("nearside explain --host www.example.com --down web", &["web/fra-a"]),
        ("nearside completions z", &["zsh"]),
    ] {
        let Some(offered) = offered(folder.path(), line) else { return };
        assert_eq!(offered, expected, "{line}");
    }
    let commands = offered(folder.path(), "nearside ").unwrap();
    assert!(commands.iter().any(|word| word == "status"), "{commands:?}");
    assert!(!commands.iter().any(|word| word == "sample"), "what is hidden is not offered: {commands:?}");
    // Without a file and without a PoP there is nothing to offer, and no error in the middle of a line.
    fs::remove_file(folder.path().join("routes.yaml")).unwrap();
    let names = offered(folder.path(), "nearside drain fr").unwrap();
    assert!(names.is_empty(), "{names:?}");
}

/// What a shell offers to `nearside drain fr` by this call.
fn offered_by(mut shell: Command, folder: &Path) -> Option<Vec<String>> {
    fs::write(folder.join("routes.yaml"), FILE).unwrap();
    shell.current_dir(folder).env("PATH", path()).env("HOME", folder);
    let output = tool::output(shell.env("NEARSIDE_STATE_DIR", folder.join("state")))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words = String::from_utf8(output.stdout).unwrap();
    Some(words.split_whitespace().map(str::to_owned).collect())
}

#[test]
fn fish_completes_names_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut fish = Command::new("fish");
    fish.args(["--no-config", "--command"]);
    fish.arg("nearside completions fish | source; complete --do-complete 'nearside drain fr'");
    let Some(offered) = offered_by(fish, folder.path()) else { return };
    assert_eq!(offered, ["frankfurt", "fribourg"]);
}

/// As zsh loads it from a folder of functions, with the first completion that needs it: `_describe` is what shows.
#[test]
fn zsh_completes_names_of_the_file_with_the_first_call() {
    const CALL: &str = "fpath=($PWD/functions); autoload -Uz _nearside; compdef() { : }; \
        _describe() { print -l -- ${(P)3} }; words=(nearside drain fr); CURRENT=3; _nearside";
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("functions")).unwrap();
    let script = Command::new(nearside_tests::program()).args(["completions", "zsh"]).output().unwrap();
    fs::write(folder.path().join("functions/_nearside"), script.stdout).unwrap();
    let mut zsh = Command::new("zsh");
    zsh.args(["--no-rcs", "-c", CALL]);
    let Some(offered) = offered_by(zsh, folder.path()) else { return };
    assert_eq!(offered, ["frankfurt", "fribourg"]);
}

#[test]
fn the_manual_has_a_page_for_each_command_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    let written = Command::new(nearside_tests::program()).arg("man").arg(&pages).output().unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let help = Command::new(nearside_tests::program()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    // What is told of a command may go on in the next line, farther in.
    let commands = commands.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    let named = commands.filter_map(|line| line.split_whitespace().next());
    let mut expected: Vec<String> = named.map(|name| format!("nearside-{name}.1")).collect();
    expected.push("nearside.1".to_owned());
    expected.sort();
    let mut found: Vec<String> =
        fs::read_dir(&pages).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, expected);
    for name in &found {
        let page = pages.join(name);
        let mut groff = Command::new("groff");
        let Some(output) = tool::output(groff.args(["-man", "-Tutf8", "-ww", "-P-cbu"]).arg(&page)) else {
            return;
        };
        let (text, warnings) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && warnings.is_empty(), "{name}: {warnings}");
        assert!(text.contains("NAME") && text.contains("OPTIONS"), "{name}: {text}");
    }
}
