-- Tells Argo CD how a TaskGroup is. It reads the conditions that Helm and Flux wait for, so that all of them agree.
-- Argo CD gives a script the TaskGroup as `obj` and only Lua's base functions and `table`: there is no `string` here.

local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

local function is_true(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

-- A deletion makes a new generation, which is not looked at any more: so this comes first.
if obj.metadata.deletionTimestamp ~= nil then
  if conditions.Ready ~= nil and conditions.Ready.reason == "Deleting" then
    return {status = "Progressing", message = conditions.Ready.message}
  end
  return {status = "Progressing", message = "The TaskGroup is being deleted."}
end

if conditions.Ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not looked at this version yet."}
end

-- It failed, or it cannot go on before a person changes something.
if is_true("Stalled") then
  return {status = "Degraded", message = conditions.Stalled.message}
end
if is_true("Suspended") then
  return {status = "Suspended", message = conditions.Suspended.message}
end
if is_true("Ready") then
  return {status = "Healthy", message = conditions.Ready.message}
end
return {status = "Progressing", message = conditions.Ready.message}
