// Package v2 stands in for Grafana's module of its newer schema, which the linter links for dashboards of that schema.
// Ours are of the classic one, and the module brings a large part of Grafana: here are only the fields that the linter
// names, and a dashboard of the newer schema is refused.
package v2

import "errors"

type DashboardVariableRefresh string

const (
	DashboardVariableRefreshOnDashboardLoad    DashboardVariableRefresh = "onDashboardLoad"
	DashboardVariableRefreshOnTimeRangeChanged DashboardVariableRefresh = "onTimeRangeChanged"
)

type DashboardSpec struct {
	Title       string
	Editable    *bool
	Elements    map[string]DashboardElement
	Variables   []DashboardVariableKind
	Annotations []DashboardAnnotationQueryKind
}

func (*DashboardSpec) UnmarshalJSON([]byte) error {
	return errors.New("this build lints dashboards of the classic schema only")
}

type DashboardElement struct{ PanelKind *DashboardPanelKind }

type DashboardPanelKind struct{ Spec DashboardPanelSpec }

type DashboardPanelSpec struct {
	Id                 float64
	Title, Description string
	VizConfig          DashboardVizConfigKind
	Data               DashboardQueryGroupKind
}

type DashboardVizConfigKind struct {
	Group string
	Spec  struct{ FieldConfig, Options any }
}

type DashboardQueryGroupKind struct {
	Spec struct{ Queries []DashboardPanelQueryKind }
}

type DashboardPanelQueryKind struct {
	Spec struct {
		RefId  string
		Hidden bool
		Query  DashboardDataQueryKind
	}
}

type DashboardDataQueryKind struct {
	Group      string
	Datasource *struct{ Name *string }
	Spec       map[string]any
}

type DashboardAnnotationQueryKind struct {
	Spec struct {
		Name  string
		Query DashboardDataQueryKind
	}
}

type DashboardVariableKind struct {
	QueryVariableKind      *DashboardQueryVariableKind
	DatasourceVariableKind *DashboardVariable
	CustomVariableKind     *DashboardVariable
	IntervalVariableKind   *DashboardVariable
	ConstantVariableKind   *DashboardVariable
	TextVariableKind       *DashboardVariable
	AdhocVariableKind      *DashboardVariable
	GroupByVariableKind    *DashboardVariable
	SwitchVariableKind     *DashboardVariable
}

type DashboardQueryVariableKind struct {
	Spec struct {
		Name            string
		Label, AllValue *string
		Multi           bool
		Refresh         DashboardVariableRefresh
		Query           DashboardDataQueryKind
	}
}

type DashboardVariable struct {
	Spec struct {
		Name, Query, PluginId string
		Label, AllValue       *string
		Multi                 bool
		Refresh               DashboardVariableRefresh
	}
}
