//! What splitting TCP gains: a client, a PoP near it and backends far from both, each on a host of its own, and how long
//! requests take between them.

mod origin;
mod proxies;
mod visit;

use crate::Edge;
use crate::wan::{Lab, Link};
use origin::Origin;
use proxies::Nginx;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use visit::{Took, Visitor};

/// The round trip from the client to the PoP.
const EDGE: Duration = Duration::from_millis(20);
/// The round trip from the PoP to a backend.
const LONG: Duration = Duration::from_millis(150);
/// Bits a second of the client's line, and what may wait before it.
const LINE: (u64, u64) = (200_000_000, 1_000_000);
/// The same between PoP and backends.
const TRUNK: (u64, u64) = (1_000_000_000, 8_000_000);
/// How many of a million packets a bad last mile loses, each way.
const LOST: u64 = 5_000;
/// Requests before those that count: the connections behind them are open then, and their windows wide.
const WARMING: usize = 2;
/// How long one figure may take beyond its first round.
const PATIENCE: Duration = Duration::from_secs(15);
/// Where backends listen.
const PORT: u16 = 443;

/// The congestion control of the backend that most are.
const USUAL: &str = "cubic";

/// How a request reaches a backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    /// Without a PoP, to the backend on cubic or on BBR.
    Direct,
    DirectBbr,
    /// By nearside, to the same.
    Nearside,
    NearsideBbr,
    /// By nearside, over a connection that has yet to be made.
    Cold,
    /// By nginx, to the same two.
    Nginx,
    NginxBbr,
}

/// What becomes of the connections between two rounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gap {
    None,
    /// Those to the backend are idle for three seconds.
    Idle,
    /// Those to the backend are closed.
    Closed,
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
struct Row {
    table: &'static str,
    name: &'static str,
    way: Way,
    /// Whether the client keeps its connection.
    kept: bool,
    /// Whether it sends the bytes.
    up: bool,
    lossy: bool,
    gap: Gap,
}

const fn row(table: &'static str, name: &'static str, way: Way) -> Row {
    Row { table, name, way, kept: false, up: false, lossy: false, gap: Gap::None }
}

/// The rows of all tables but that of failover.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("down", "direct", Way::Direct),
    row("down", "nearside", Way::Nearside),
    row("down", "nginx", Way::Nginx),
    Row { gap: Gap::Closed, ..row("down", "cold", Way::Cold) },
    Row { kept: true, ..row("down-kept", "direct", Way::Direct) },
    Row { kept: true, ..row("down-kept", "nearside", Way::Nearside) },
    Row { kept: true, ..row("down-kept", "nginx", Way::Nginx) },
    Row { up: true, ..row("up", "direct", Way::Direct) },
    Row { up: true, ..row("up", "nearside", Way::Nearside) },
    Row { up: true, ..row("up", "nginx", Way::Nginx) },
    Row { up: true, kept: true, ..row("up-kept", "direct", Way::Direct) },
    Row { up: true, kept: true, ..row("up-kept", "nearside", Way::Nearside) },
    Row { up: true, kept: true, ..row("up-kept", "nginx", Way::Nginx) },
    Row { gap: Gap::Idle, ..row("idle", "nearside, backend on cubic", Way::Nearside) },
    Row { gap: Gap::Idle, ..row("idle", "nginx, backend on cubic", Way::Nginx) },
    Row { gap: Gap::Idle, ..row("idle", "nearside, backend on BBR", Way::NearsideBbr) },
    Row { gap: Gap::Idle, ..row("idle", "nginx, backend on BBR", Way::NginxBbr) },
    Row { gap: Gap::Idle, up: true, ..row("idle-up", "nearside", Way::Nearside) },
    Row { gap: Gap::Idle, up: true, ..row("idle-up", "nginx", Way::Nginx) },
    Row { lossy: true, ..row("loss", "direct, backend on cubic", Way::Direct) },
    Row { lossy: true, ..row("loss", "direct, backend on BBR", Way::DirectBbr) },
    Row { lossy: true, ..row("loss", "nginx", Way::Nginx) },
    Row { lossy: true, ..row("loss", "nearside", Way::Nearside) },
];

/// The table of what a failover costs.
const FAILOVER: &str = "failover";

/// All of it, running. What runs on the hosts ends before they do.
pub struct Scene {
    edge: Edge,
    nginx: Option<Nginx>,
    first: Origin,
    _others: Vec<Origin>,
    door: SocketAddr,
    lab: Lab,
    _allowed: Allowed,
}

impl Scene {
    /// Starts all of it with this program `nearside`, and nginx where it is given; `None`, said loudly, where no lab can
    /// be made.
    pub async fn start(nearside: &Path, nginx: Option<&Path>) -> Option<Self> {
        let lab = Lab::start(&["client", "pop", "cubic", "bbr"])?;
        let allowed = Allowed::all();
        let has_bbr = control(&lab, "bbr", "bbr");
        for host in ["client", "pop", USUAL] {
            assert!(control(&lab, host, USUAL), "every kernel has {USUAL}");
        }
        if !has_bbr {
            crate::tool::skip("this kernel has no bbr: the rows that name it are cubic's");
        }
        connect(&lab, 0);
        let (setting, door) = proxies::setting(&lab);
        let (folder, authority) = (setting.folder(), &setting.authority);
        let start = |host, name| Origin::start(&lab, nearside, (host, name), (folder, authority));
        let others = vec![start(USUAL, "cubic"), start("bbr", "bbr")];
        let first = start(USUAL, "first");
        let edge = proxies::nearside(setting, &lab, nearside, first.address).await;
        let nginx = nginx.map(|program| Nginx::start(&lab, program, edge.folder()));
        Some(Self { edge, nginx, first, _others: others, door, lab, _allowed: allowed })
    }

    /// Measures one table: hands on an account for each figure, as it comes.
    pub fn measure(&mut self, table: &str, sizes: &[u64], rounds: usize, mut tell: impl FnMut(&Value)) {
        if table == FAILOVER {
            return tell(&self.fail_over(rounds));
        }
        for row in ROWS.iter().filter(|row| row.table == table) {
            if self.nginx.is_none() && matches!(row.way, Way::Nginx | Way::NginxBbr) {
                continue;
            }
            connect(&self.lab, if row.lossy { LOST } else { 0 });
            for size in sizes {
                let took = self.rounds(row, *size, rounds);
                tell(&account(row.table, row.name, *size, &took));
            }
        }
        connect(&self.lab, 0);
    }

    fn rounds(&self, row: &Row, size: u64, rounds: usize) -> Vec<Took> {
        let visitor = self.visitor(row);
        self.lab.within("client", || {
            visit::alone(async {
                let kept = visitor.client();
                let mut took = Vec::new();
                let begin = Instant::now();
                for round in 0..WARMING + rounds {
                    match row.gap {
                        Gap::None => {}
                        _ if round < WARMING => {}
                        Gap::Idle => {
                            visitor.ask(&visitor.client(), size).await;
                            tokio::time::sleep(Duration::from_secs(3)).await;
                        }
                        Gap::Closed => tokio::time::sleep(proxies::CLOSED).await,
                    }
                    let one = if row.kept {
                        visitor.ask(&kept, size).await
                    } else {
                        visitor.ask(&visitor.client(), size).await
                    };
                    // One that takes this long would have taken it the first time too.
                    let late = begin.elapsed() > PATIENCE && (row.lossy || round >= WARMING);
                    if round >= WARMING || late {
                        took.push(one);
                    }
                    if late {
                        break;
                    }
                }
                took
            })
        })
    }

    fn visitor(&self, row: &Row) -> Visitor {
        let at = |host: &str| SocketAddr::from((self.lab.address(host), PORT));
        let nginx = SocketAddr::from((self.lab.address("pop"), proxies::NGINX));
        let (to, prefix) = match row.way {
            Way::Direct => (at(USUAL), ""),
            Way::DirectBbr => (at("bbr"), ""),
            Way::Nearside => (self.door, ""),
            Way::NearsideBbr => (self.door, "/bbr"),
            Way::Cold => (self.door, "/cold"),
            Way::Nginx => (nginx, ""),
            Way::NginxBbr => (nginx, "/bbr"),
        };
        let mut door = self.edge.door();
        door.https = to;
        Visitor { door, prefix, up: row.up }
    }

    /// Kills the backend of the first tier again and again: what one request takes before, and the next one after. The
    /// first kill finds the other tier cold, in a pool that makes no connections ahead; half of the others are followed by
    /// a request before the PoP can know.
    fn fail_over(&mut self, rounds: usize) -> Value {
        const SIZE: u64 = 1_000;
        /// The news of a kill takes half a round trip.
        const NEWS: Duration = Duration::from_millis(100);
        let mut told = json!({ "table": FAILOVER, "before": [], "cold": [], "at once": [], "later": [] });
        let mut tell =
            |name: &str, took: Took| told[name].as_array_mut().expect("a list").push(took.first_ms().into());
        for (name, wait) in failures(rounds, NEWS) {
            let prefix = if name == "cold" { "/bare" } else { "/tiers" };
            let visitor = Visitor { prefix, ..self.visitor(&row(FAILOVER, "", Way::Nearside)) };
            let (lab, first) = (&self.lab, &mut self.first);
            let (before, after) = lab.within("client", || {
                visit::alone(async {
                    let client = visitor.client();
                    while visitor.who(&client).await != "first" {
                        tokio::time::sleep(NEWS).await;
                    }
                    let before = visitor.ask(&client, SIZE).await;
                    first.kill();
                    tokio::time::sleep(wait).await;
                    (before, visitor.ask(&client, SIZE).await)
                })
            });
            tell("before", before);
            tell(name, after);
            self.first.again(&self.lab);
        }
        told
    }
}

/// Which kills there are, and how long after each the next request comes.
fn failures(rounds: usize, news: Duration) -> impl Iterator<Item = (&'static str, Duration)> {
    let both = [("later", news), ("at once", Duration::ZERO)];
    std::iter::once(("cold", news)).chain(both.into_iter().cycle().take(2 * rounds))
}

/// Sets all links, with so many of a million packets lost on the last mile.
fn connect(lab: &Lab, lost: u64) {
    let link = |round_trip, (rate, queue), lost| Link {
        rate: Some(rate),
        queue,
        lost,
        ..Link::of_round_trip(round_trip)
    };
    lab.set("client", "pop", link(EDGE, LINE, lost));
    for backend in [USUAL, "bbr"] {
        lab.set("client", backend, link(EDGE + LONG, LINE, lost));
        lab.set("pop", backend, link(LONG, TRUNK, 0));
    }
}

/// Makes a congestion control the usual one of a host; whether the kernel has it.
fn control(lab: &Lab, host: &str, control: &str) -> bool {
    lab.within(host, || fs::write("/proc/sys/net/ipv4/tcp_congestion_control", control).is_ok())
}

/// While it lives, each host may choose what the kernel has; by itself one may choose only what is allowed to all.
struct Allowed(String);

impl Allowed {
    const FILE: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

    fn all() -> Self {
        let before = fs::read_to_string(Self::FILE).unwrap_or_default();
        let all = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control");
        // Where this fails, choosing does.
        drop(fs::write(Self::FILE, all.unwrap_or_default()));
        Self(before)
    }
}

impl Drop for Allowed {
    fn drop(&mut self) {
        drop(fs::write(Self::FILE, &self.0));
    }
}

fn account(table: &str, row: &str, size: u64, took: &[Took]) -> Value {
    let each = |time: fn(&Took) -> f64| took.iter().map(time).collect::<Vec<_>>();
    json!({ "table": table, "row": row, "size": size, "first": each(Took::first_ms), "last": each(Took::last_ms) })
}
