//! What a region cannot carry spills over, and comes back.

use crate::{HEAD, backends, setting};
use nearside_tests::client::{ask, region};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_region_cannot_carry_goes_to_the_next() {
    let one = setting("ab");
    let backends = backends(&one).await;
    let text = format!(
        "{}pools:\n  web:\n    backends:\n      - {{ id: one, url: \"http://{}\", region: frankfurt }}\n\
         \x20     - {{ id: two, url: \"http://{}\", region: dublin, priority: 2 }}\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n",
        HEAD.replace("key_file: fleet.key", "key_file: fleet.key, pops: 2")
            .replace("frankfurt: {}", "frankfurt: { capacity: 4 rps }"),
        backends[0].address,
        backends[1].address
    );
    let one = one.run(&text).await;
    // With 2 a second for this PoP, the first request stays; of so many at once most go on.
    assert_eq!(region(&ask(&one, "/", &[]).await), "frankfurt");
    let mut spilled = 0;
    for _ in 0..200 {
        spilled += usize::from(region(&ask(&one, "/", &[]).await) == "dublin");
    }
    assert!(spilled > 20, "{spilled}");
    let of = |reason: &str| one.records().iter().filter(|record| record["reason"] == reason).count();
    nearside_tests::eventually("the records", async || (of("won.spillover") == spilled).then_some(())).await;
    nearside_tests::eventually("room again", async || {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        (region(&ask(&one, "/", &[]).await) == "frankfurt").then_some(())
    })
    .await;
}
