# A TaskGroup that runs the same items again: kubectl get tg NAME -o json | jq -f examples/again.jq | kubectl create -f -
# With --arg only failed it has only the items that failed, of a template.group those of which any task failed.
# Write what you change, such as the image, at the end.

# "1-3,9" as 1, 2, 3, 9
def indexes: split(",")[] | select(. != "") | split("-") | map(tonumber) | range(.[0]; .[-1] + 1);

# The items of a matrix: the axes by name, the last one fastest.
def combinations_kept:
  . as $matrix
  | reduce (.axes | to_entries | sort_by(.key)[]) as $axis ([{}]; [.[] as $item | $axis.value[] as $value | $item + {($axis.key): $value}])
  | map(select(. as $item | all($matrix.exclude[]?; any(to_entries[]; $item[.key] != .value))))
  | . + ($matrix.include // []);

def failed:
  .status as $status
  | if $status.indexesTruncated then error("the list of failed indexes was too long for the status") else . end
  | if .spec.itemsFrom then error("its items are not in the spec: run them again by spec.retry") else . end
  | (.spec.template.group // [null] | length) as $members
  | ([$status.failedIndexes // "" | indexes / $members | floor] | unique) as $failed
  | if $failed == [] then error("no item failed") else . end
  | if .spec.items then .spec.items = [.spec.items[$failed[]]]
    elif .spec.tasks then .spec.tasks = [.spec.tasks[$failed[]]]
    elif .spec.matrix then .spec.items = [(.spec.matrix | combinations_kept)[$failed[]]] | del(.spec.matrix)
    else .spec.sequence as $sequence
      | .spec.items = [$failed[] | ($sequence.start // 0) + . * ($sequence.step // 1)]
      | del(.spec.sequence)
    end;

if $ARGS.named.only == "failed" then failed else . end
| {apiVersion, kind, metadata: {generateName: "\(.metadata.name[:46])-", namespace: .metadata.namespace}, spec: (.spec | del(.cancel, .suspend, .retry))}
