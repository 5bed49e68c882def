# shellcheck shell=bash
# root and ops start the same roll at once: whoever is first wins, the other is told who. Then both are told to wait.
# takes: 90

before=$(lives_of r1 r2 r3)
regions_load_start 280
bastion_start restart router --cluster --region dc-1 --yes
root=$ER_CALL
BASTION_USER=ops bastion_start restart router --cluster --region dc-1 --yes
ops=$ER_CALL
bastion_wait "$root"
first=$(result .result)
bastion_wait "$ops"
second=$(result .result)
case $first/$second in
done/refused | done/busy) ER_CALL=$ops ;;
refused/done | busy/done) ER_CALL=$root ;;
*) fail "the two ended $first and $second" ;;
esac
result .reason | shows 'root\|ops' || fail "who has it is not named: $(result .reason)"
assert_all_restarted "$before" r1 r2 r3
assert_order "r1 r2 r3" r1 r2 r3
assert_never_two

bastion_start restart router --cluster --region dc-1 --yes --wait
root=$ER_CALL
BASTION_USER=ops bastion_start restart router --cluster --region dc-1 --yes --wait
ops=$ER_CALL
bastion_wait "$root"
assert_result "done" 0
bastion_wait "$ops"
assert_result "done" 0
regions_proof
