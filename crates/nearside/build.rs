//! How the program lies in memory, where the linker that Rust brings along puts it together.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=order.txt");
    if !is_ours() {
        return;
    }
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let options = [
        // Functions that run lie together (`cargo xtask order`): the kernel maps a program by 64 KiB, so that one function here
        // and one there is most of the memory that a proxy at rest has.
        format!("--symbol-ordering-file={folder}/order.txt"),
        // A function's name changes with the compiler and with what is beneath it; those that are gone are passed over.
        "--no-warn-symbol-ordering".to_owned(),
        // What is to be relocated is told in a hundredth of the room; from glibc 2.36 on.
        "-z,pack-relative-relocs".to_owned(),
    ];
    for option in options {
        println!("cargo::rustc-link-arg-bins=-Wl,{option}");
    }
}

/// Whether this is a release for a target whose linker is the one that Rust brings along, and nobody has named another.
fn is_ours() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|told| told == value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    is("TARGET", "x86_64-unknown-linux-gnu")
        && is("PROFILE", "release")
        && env::var_os("RUSTC_LINKER").is_none()
        && !["linker", "fuse-ld"].iter().any(|word| flags.contains(word))
}
