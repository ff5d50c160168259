#!/usr/bin/env bash
# Proves and times maskrank's CUDA backend on this machine: ./run.sh [PART…], all parts by default.
# Needs an NVIDIA driver and nothing else. Results go to results/, a table to the end of the output.
# MASKRANK_REHEARSAL=1 ./run.sh runs every part on next to nothing, to see that they run.
# Exit code: 0 when every part that ran passed, 1 otherwise, 2 without a usable GPU.
set -u
cd "$(dirname "$0")" || exit 1
here=$PWD
export MASKRANK_GOLDEN=$here/golden MASKRANK_REQUIRE=cuda
export MASKRANK_COMMIT=@COMMIT@
MASKRANK_DATE=$(date -u +%F)
export MASKRANK_DATE

# A part that takes longer is stopped and counts as failed.
limit=470
precisions="f32 tf32 bf16 f16"
parts="golden edges invariance sizes random memcheck racecheck initcheck synccheck ceilings kernels model peers"

if ! timeout 8 bin/gpu probe; then
    echo "gpu-suite: no usable GPU here, nothing was run (see the reason above)"
    exit 2
fi

if [ -n "${MASKRANK_REHEARSAL:-}" ]; then
    echo "a rehearsal: no figure means anything"
fi
mkdir -p results
summary=results/summary.csv
[ -f "$summary" ] || echo "part,outcome,seconds,remark" >"$summary"
failed=0
lines=()

record() { # part outcome seconds remark
    grep -v "^$1," "$summary" >"$summary.new"
    mv "$summary.new" "$summary"
    echo "$1,$2,$3,$4" >>"$summary"
    lines+=("$(printf '%-12s %-8s %6ss  %s' "$1" "$2" "$3" "$4")")
    if [ "$2" = failed ]; then failed=1; fi
}

trials() { # beginnings…: trials of the shared suite, on every precision
    for beginning in "$@"; do
        for precision in $precisions; do
            # A filter that fits nothing must not pass for a success.
            if ! bin/suite --list "cuda/$precision/$beginning" | grep -q ': test$'; then
                echo "no trial is named cuda/$precision/$beginning"
                return 1
            fi
            bin/suite "cuda/$precision/$beginning" || return 1
        done
    done
}

rehearsed() { # part: a trial or two of each
    case $1 in
    golden) trials golden/tiny-parallel ;;
    edges) trials ragged/declared_splits reuse/odd_requests staging/bf16_bits threads/ ;;
    invariance) trials invariance/tiny-parallel ;;
    sizes) trials sizes/small ;;
    random) trials random_model/seed_1 ;;
    esac
}

find_sanitizer() {
    command -v compute-sanitizer && return
    for path in /usr/local/cuda*/bin/compute-sanitizer /opt/cuda/bin/compute-sanitizer; do
        [ -x "$path" ] && echo "$path" && return
    done
    return 1
}

sanitizer() { # tool: the small cases, ragged models and requests that share products, in each precision
    for precision in $precisions; do
        for beginning in golden/tiny-parallel golden/serial random_model/seed_1 reuse/odd_requests staging/; do
            "$(find_sanitizer)" --tool "$1" --error-exitcode 1 bin/suite --test-threads 1 "cuda/$precision/$beginning" || return 1
        done
    done
}

peers() {
    model=$(mktemp -d) || return 1
    seed=$(grep -o '"seed": *[0-9]*' golden/production/case.json | head -n 1 | grep -o '[0-9]*$')
    bin/maskrank random-weights --out "$model" --config golden/production/config.yaml \
        --widths 2117,59,200,200,200 --seed "$seed" &&
        python3 peers.py --model "$model" --golden golden/production --out results/peers.csv
    code=$?
    rm -rf "$model"
    return $code
}

run_part() {
    case $1 in
    golden | edges | invariance | sizes | random)
        if [ -n "${MASKRANK_REHEARSAL:-}" ]; then
            rehearsed "$1"
            return
        fi ;;
    esac
    case $1 in
    golden) trials golden/ ;;
    edges) trials ragged/ reuse/ staging/ threads/ ;;
    invariance) trials invariance/ ;;
    sizes) trials sizes/ ;;
    random) trials random_model/ ;;
    memcheck | racecheck | initcheck | synccheck) sanitizer "$1" ;;
    ceilings | kernels | model) bin/gpu "$1" "results/$1.csv" ;;
    peers) peers ;;
    esac
}

for part in ${*:-$parts}; do
    case " $parts " in
    *" $part "*) ;;
    *) echo "gpu-suite: no part is named $part; parts: $parts" && exit 1 ;;
    esac
    case $part in
    memcheck | racecheck | initcheck | synccheck)
        if ! find_sanitizer >/dev/null; then
            record "$part" "not run" 0 "compute-sanitizer is not on this machine"
            continue
        fi ;;
    peers)
        if ! python3 -c 'import torch, numpy' 2>/dev/null; then
            record peers "not run" 0 "no Python with PyTorch on this machine"
            continue
        fi ;;
    esac
    printf '\n== %s\n' "$part"
    begin=$SECONDS
    # A subshell of its own, so that a part that hangs can be stopped with all that it started.
    export -f run_part trials rehearsed sanitizer peers find_sanitizer
    export precisions
    timeout "$limit" bash -c "run_part $part"
    code=$?
    took=$((SECONDS - begin))
    case $code in
    0) record "$part" passed "$took" "" ;;
    124) record "$part" failed "$took" "stopped after $limit s" ;;
    *) record "$part" failed "$took" "exit code $code" ;;
    esac
done

printf '\n== timings\n'
tables=()
for name in ceilings kernels model peers; do
    [ -f "results/$name.csv" ] && tables+=("results/$name.csv")
done
[ ${#tables[@]} -gt 0 ] && bin/gpu table "${tables[@]}"

printf '\n== summary (commit %s)\n' "$MASKRANK_COMMIT"
printf '%s\n' "${lines[@]}"
exit "$failed"
